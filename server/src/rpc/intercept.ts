import type { DescMethod, Message } from "@bufbuild/protobuf";
import { createMethodImplSpec, type HandlerContext, type Interceptor, type MethodImpl } from "@connectrpc/connect";
import {
  createAsyncIterable,
  invokeUnaryImplementation,
  transformInvokeImplementation,
} from "@connectrpc/connect/protocol";
import type { Implementation } from "./method-plan.ts";

/** Connect's own contexts have `abort`; the type that handlers see does not have it. */
type ConnectContext = HandlerContext & { abort(reason?: unknown): void };

/**
 * Wraps a handler in a host's interceptors, which Connect would run around its own handlers in the same way. Returns
 * the handler itself if there are none.
 */
export function intercept(
  method: DescMethod,
  implementation: Implementation,
  interceptors: readonly Interceptor[],
): Implementation {
  if (interceptors.length === 0) return implementation;
  const spec = createMethodImplSpec(method, implementation as MethodImpl<DescMethod>);
  const chain = [...interceptors];
  if (spec.kind === "unary") {
    return (request: Message, context) => invokeUnaryImplementation(spec, toConnectContext(context), request, chain);
  }
  const invoke = (requests: AsyncIterable<Message>, context: HandlerContext) =>
    transformInvokeImplementation(spec, toConnectContext(context), chain)(requests);
  switch (spec.kind) {
    case "server_streaming":
      return (request: Message, context) => invoke(createAsyncIterable([request]), context);
    case "client_streaming":
      return (requests: AsyncIterable<Message>, context) => onlyAnswer(invoke(requests, context));
    default:
      return invoke;
  }
}

/** Returns the only answer of a handler, once its interceptors have finished. */
async function onlyAnswer(answers: AsyncIterable<unknown>): Promise<unknown> {
  const [answer] = await Array.fromAsync(answers);
  return answer;
}

/** Returns the context with all properties of Connect's own, since Connect copies it with the interceptors' changes. */
function toConnectContext(context: HandlerContext): ConnectContext {
  const { service, method, requestMethod, url, protocolName, signal, values } = context;
  const { requestHeader, responseHeader, responseTrailer } = context;
  return {
    ...{ service, method, requestMethod, url, protocolName, signal, values },
    ...{ requestHeader, responseHeader, responseTrailer },
    timeoutMs: () => context.timeoutMs(),
    // The signal is aborted by the call's record.
    abort() {},
  };
}

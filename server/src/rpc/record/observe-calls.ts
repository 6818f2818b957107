import { ConnectError, createContextValues } from "@connectrpc/connect";
import { createAsyncIterable, type UniversalHandler, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import { methodName } from "@rollcall/shared/method-name";
import { watchStream } from "@rollcall/shared/watch-stream";
import type { Logger } from "pino";
import { canceled } from "../call-errors.ts";
import { callKey, requestContextKey } from "../context.ts";
import { isByteStream } from "../stages/byte-stream.ts";
import { type CallObserver, CallRecord, internalError } from "./call-record.ts";
import type { TraceCall } from "./call-trace.ts";

export interface ObserveCallsOptions {
  /** Called one after the other at the end of each call. */
  observers: readonly CallObserver[];
  /** Opens the trace of each call. */
  traceCall: TraceCall;
  logger: Logger;
}

/**
 * Wraps a handler with a record of each call (`callKey`). It stands outside of gate and interceptors to observe calls
 * that never reach them: refused by the gate, malformed, too large.
 */
export function observeCalls(handler: UniversalHandler, options: ObserveCallsOptions): UniversalHandler {
  const method = methodName(handler.method);
  const observed = async (request: Parameters<UniversalHandler>[0]): Promise<UniversalServerResponse> => {
    const contextValues = request.contextValues ?? createContextValues();
    const { requestId, peer, address, proxy, startedAtMs = performance.now() } = contextValues.get(requestContextKey);
    const header = (name: string) => request.header.get(name) ?? undefined;
    const trace = options.traceCall({ method, startedAtMs }, { header });
    const call = new CallRecord({ requestId, peer, address, proxy, method, startedAtMs, trace, ...options });
    contextValues.set(callKey, call);
    // A client's departure shows in many ways: a reset with any code, a lost connection, an answer that closes early.
    // All of them end the call here, since the code that writes the answer may never come back to do so.
    const abandon = () => {
      const { reason } = request.signal;
      call.abort(canceled(reason));
      call.end(undefined, false);
    };
    call.onEnd(() => request.signal.removeEventListener("abort", abandon));
    if (request.signal.aborted) abandon();
    else request.signal.addEventListener("abort", abandon, { once: true });
    const body = isByteStream(request.body) ? countRequest(request.body, call) : request.body;
    const handle = () => handler({ ...request, body, signal: call.signal, contextValues });
    const response = await (trace ? trace.run(handle) : handle());
    return { ...response, body: observeAnswer(response, call) };
  };
  return Object.assign(observed, handler);
}

/** Returns the same chunks, counted. */
function countRequest(chunks: AsyncIterable<Uint8Array>, call: CallRecord): AsyncIterable<Uint8Array> {
  return watchStream(chunks, {
    onMessage(chunk) {
      call.requestBytes += chunk.byteLength;
    },
  });
}

/** Returns the answer's chunks, counted. The call ends when they do. */
function observeAnswer({ status, body }: UniversalServerResponse, call: CallRecord): AsyncIterable<Uint8Array> {
  return watchStream(body ?? createAsyncIterable<Uint8Array>([]), {
    onMessage(chunk) {
      call.responseBytes += chunk.byteLength;
    },
    onEnd(end) {
      // The answer could not be written, and not because its client has gone.
      if (end.how === "failed" && !(end.error instanceof ConnectError)) call.fail(internalError());
      call.end(status, end.how === "complete");
    },
  });
}

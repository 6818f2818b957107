import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { createFetchTransport } from "@rollcall/client";
import { BASE_URL } from "../base.ts";
import { authenticate } from "../session/authenticate.ts";

/** Longest wait for an answer, in milliseconds; the same as the server's default. */
const TIMEOUT_MS = 30_000;

const transport = createFetchTransport({
  baseUrl: BASE_URL,
  interceptors: [authenticate],
  defaultTimeoutMs: TIMEOUT_MS,
});

/** Calls a unary method of the server that this page came from, as the person who is signed in. */
export async function call<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  signal?: AbortSignal,
): Promise<MessageShape<O>> {
  const response = await transport.unary(method, signal, undefined, undefined, request);
  return response.message;
}

/** Opens a stream of the server's, in the same way. Only its caller ends it. */
export async function* stream<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  signal: AbortSignal,
): AsyncIterable<MessageShape<O>> {
  const only = (async function* () {
    yield request;
  })();
  yield* (await transport.stream(method, signal, 0, undefined, only)).message;
}

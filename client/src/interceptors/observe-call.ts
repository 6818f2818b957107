import {
  ConnectError,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { watchStream } from "@rollcall/shared/watch-stream";
import { callHook } from "../internal/call-hook.ts";

export type AnyRequest = UnaryRequest | StreamRequest;
type AnyResponse = UnaryResponse | StreamResponse;
type Next = (request: AnyRequest) => Promise<AnyResponse>;

/**
 * Makes the call, and calls `onEnd` once when it has ended, with its error if there is one. A stream ends when its last
 * message has been read, when it fails, or when its caller aborts it, but not when it opens. Errors of `onEnd` do not
 * reach the call.
 */
export async function observeCall(
  next: Next,
  request: AnyRequest,
  onEnd: (error: ConnectError | undefined) => void,
): Promise<AnyResponse> {
  let response: AnyResponse;
  try {
    response = await next(request);
  } catch (error) {
    callHook(() => onEnd(ConnectError.from(request.signal.aborted ? request.signal.reason : error)));
    throw error;
  }
  if (response.stream) return { ...response, message: observeEach(response.message, request.signal, onEnd) };
  callHook(() => onEnd(undefined));
  return response;
}

function observeEach<T>(
  messages: AsyncIterable<T>,
  signal: AbortSignal,
  onEnd: (error: ConnectError | undefined) => void,
): AsyncIterable<T> {
  let hasEnded = false;
  const end = (error?: unknown) => {
    if (hasEnded) return;
    hasEnded = true;
    signal.removeEventListener("abort", abort);
    callHook(() => onEnd(error === undefined ? undefined : ConnectError.from(error)));
  };
  const abort = () => end(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  return watchStream(messages, {
    onEnd(reached) {
      if (reached.how === "complete") end();
      else if (reached.how === "failed") end(signal.aborted ? signal.reason : reached.error);
    },
  });
}

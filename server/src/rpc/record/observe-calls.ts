import { Code, ConnectError, type ContextValues, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { codeFromHttpStatus } from "@connectrpc/connect/protocol-connect";
import { type Call, callKey, connectionKey } from "../context.ts";

/** Told once for every call, when the last byte of its answer was produced or its client has gone. */
export type CallObserver = (call: Readonly<Call>, error: Code | undefined, values: ContextValues) => void;

/**
 * The same handler, with a record of each call (`callKey`) that `onEnd` gets at
 * its end. It stands outside of gate and interceptors, so that it also sees the
 * calls that they never get: refused by the gate, malformed, too large.
 */
export function observeCalls(handler: UniversalHandler, onEnd: CallObserver): UniversalHandler {
  const observed = async (request: Parameters<UniversalHandler>[0]): Promise<UniversalServerResponse> => {
    const values = request.contextValues ?? createContextValues();
    const { requestId, peer, startedAtMs = performance.now() } = values.get(connectionKey);
    const controller = new AbortController();
    const call: Call = {
      requestId,
      peer,
      method: `${handler.service.typeName}/${handler.method.name}`,
      startedAtMs,
      deadlineAtMs: Number.POSITIVE_INFINITY,
      requestBytes: 0,
      responseBytes: 0,
      abort: (error) => controller.abort(error),
    };
    values.set(callKey, call);
    const body = isByteStream(request.body)
      ? tap(request.body, (chunk) => {
          call.requestBytes += chunk.byteLength;
        })
      : request.body;
    let response: UniversalServerResponse | undefined;
    let ended = false;
    const end = (isComplete: boolean, cause?: unknown) => {
      if (ended) return;
      ended = true;
      // Whoever writes the answer could not, for another reason than that its client has gone.
      if (cause !== undefined && !(cause instanceof ConnectError)) {
        call.error ??= new ConnectError("internal server error", Code.Internal);
      }
      request.signal.removeEventListener("abort", abandon);
      call.onEnd?.();
      onEnd(call, errorOf(call, response, isComplete), values);
    };
    // A client that goes away shows in many ways: a reset with whatever code it
    // chose, a lost connection, an answer that closes early. For the call they are
    // one; and whoever writes the answer may never come back to end it.
    const abandon = () => {
      const cause = request.signal.reason;
      controller.abort(new ConnectError("the call was canceled", Code.Canceled, undefined, undefined, cause));
      end(false);
    };
    if (request.signal.aborted) abandon();
    else request.signal.addEventListener("abort", abandon, { once: true });
    response = await handler({ ...request, body, signal: controller.signal, contextValues: values });
    return {
      ...response,
      body: tap(
        response.body ?? noBytes(),
        (chunk) => {
          call.responseBytes += chunk.byteLength;
        },
        end,
      ),
    };
  };
  return Object.assign(observed, handler);
}

/** With which code a call ended; undefined for success. */
function errorOf(call: Call, response: UniversalServerResponse | undefined, isComplete: boolean): Code | undefined {
  if (call.error) return call.error.code;
  // What failed outside of the interceptors, such as a message that can't be parsed.
  if (call.signal?.reason instanceof ConnectError) return call.signal.reason.code;
  if (!response || !isComplete) return Code.Canceled;
  return response.status === 200 ? undefined : codeFromHttpStatus(response.status);
}

/** Whether a body is bytes, as it is unless some framework has parsed it. */
export function isByteStream(body: unknown): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

async function* noBytes(): AsyncIterable<Uint8Array> {}

/**
 * The same chunks, each shown to `onChunk`. `onEnd` runs when there are no more, or
 * with false when nobody wants the rest, and why where that is known.
 */
function tap(
  chunks: AsyncIterable<Uint8Array>,
  onChunk: (chunk: Uint8Array) => void,
  onEnd: (isComplete: boolean, cause?: unknown) => void = () => {},
): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = chunks[Symbol.asyncIterator]();
      return {
        async next() {
          const result = await iterator.next();
          if (result.done) onEnd(true);
          else onChunk(result.value);
          return result;
        },
        async return(value) {
          onEnd(false);
          return (await iterator.return?.(value)) ?? { done: true, value };
        },
        async throw(error) {
          onEnd(false, error);
          return (await iterator.throw?.(error)) ?? Promise.reject(error);
        },
      };
    },
  };
}

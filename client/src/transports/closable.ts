import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";
import { watchStream } from "@rollcall/shared/watch-stream";

/** How long open calls may continue after `close`, in milliseconds: as long as in Node by default. */
const CLOSE_TIMEOUT_MS = 10_000;

/**
 * Wraps a transport whose connections belong to the platform, so that it can be closed like one of Node. `close` refuses
 * further calls as canceled. It resolves when the open ones have ended, and cancels those that last too long.
 */
export function closable(
  transport: Transport,
  closeTimeoutMs = CLOSE_TIMEOUT_MS,
): Transport & { close(): Promise<void> } {
  const open = new Set<AbortController>();
  let closed: PromiseWithResolvers<void> | undefined;
  const closedError = () => new ConnectError("the client is closed", Code.Canceled);
  /** Begins a call, which ends with the abort of the controller. */
  const begin = (signal: AbortSignal | undefined) => {
    if (closed) throw closedError();
    const call = createLinkedAbortController(signal);
    if (call.signal.aborted) return call;
    open.add(call);
    call.signal.addEventListener("abort", () => {
      open.delete(call);
      if (open.size === 0) closed?.resolve();
    });
    return call;
  };
  return {
    async unary(method, signal, ...rest) {
      const call = begin(signal);
      try {
        return await transport.unary(method, call.signal, ...rest);
      } finally {
        call.abort();
      }
    },
    async stream(method, signal, ...rest) {
      const call = begin(signal);
      try {
        const response = await transport.stream(method, call.signal, ...rest);
        return { ...response, message: watchStream(response.message, { onEnd: () => call.abort() }) };
      } catch (error) {
        call.abort();
        throw error;
      }
    },
    async close() {
      closed ??= Promise.withResolvers();
      if (open.size === 0) closed.resolve();
      const cut = setTimeout(() => {
        for (const call of open) call.abort(closedError());
      }, closeTimeoutMs);
      await closed.promise;
      clearTimeout(cut);
    },
  };
}

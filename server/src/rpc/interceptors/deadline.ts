import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";
import { abortable, abortableEach } from "../abortable.ts";
import { callKey, principalKey } from "../call.ts";
import { MAX_TIMER_MS } from "../limit-deadline.ts";

export interface DeadlineOptions {
  /** For a unary call whose client sets no deadline, in milliseconds. */
  defaultTimeoutMs: number;
  /** For a stream whose client sets no deadline, in milliseconds; at most {@link MAX_TIMER_MS}. */
  maxTimeoutMs: number;
  /** Milliseconds since the Unix epoch. */
  now(): number;
}

/**
 * Ends every call in time: by its client's deadline (which aborts the request's
 * signal), else by the server's, and a stream when the caller's token expires. The
 * call ends even if its handler ignores the signal.
 */
export function createDeadlineInterceptor({ defaultTimeoutMs, maxTimeoutMs, now }: DeadlineOptions): Interceptor {
  return (next) => async (request) => {
    const controller = createLinkedAbortController(request.signal);
    const { signal } = controller;
    const timers: NodeJS.Timeout[] = [];
    const abortAfter = (ms: number, message: string, code: Code) => {
      timers.push(setTimeout(() => controller.abort(new ConnectError(message, code)), Math.min(ms, MAX_TIMER_MS)));
    };
    if (!request.contextValues.get(callKey)?.hasDeadline) {
      const timeoutMs = request.method.methodKind === "unary" ? defaultTimeoutMs : maxTimeoutMs;
      abortAfter(timeoutMs, "the operation timed out", Code.DeadlineExceeded);
    }
    const principal = request.contextValues.get(principalKey);
    if (request.stream && principal) {
      abortAfter(Math.max(principal.expiresAtMs - now(), 0), "token has expired", Code.Unauthenticated);
    }
    const clearTimers = () => timers.forEach(clearTimeout);

    try {
      const response = await abortable(next({ ...request, signal }), signal);
      if (response.stream) return { ...response, message: abortableEach(response.message, signal, clearTimers) };
      clearTimers();
      return response;
    } catch (error) {
      clearTimers();
      throw error;
    }
  };
}

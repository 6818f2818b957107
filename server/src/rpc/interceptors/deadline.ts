import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";
import { principalKey } from "../call.ts";
import { abortable, abortableEach } from "./messages.ts";

/** The longest that a timer can wait: 2^31 - 1 ms; it fires at once beyond that. */
export const MAX_TIMER_MS = 2_147_483_647;

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
    if (!hasDeadline(request.header)) {
      const timeoutMs = request.method.methodKind === "unary" ? defaultTimeoutMs : maxTimeoutMs;
      abortAfter(timeoutMs, "the operation timed out", Code.DeadlineExceeded);
    }
    const principal = request.contextValues.get(principalKey);
    if (request.stream && principal) {
      abortAfter(principal.expiresAtMs - now(), "invalid token", Code.Unauthenticated);
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

function hasDeadline(header: Headers): boolean {
  return header.has("grpc-timeout") || header.has("connect-timeout-ms");
}

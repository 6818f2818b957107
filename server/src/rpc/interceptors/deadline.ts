import type { Interceptor } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";
import { abortable } from "@rollcall/shared/abortable";
import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";
import { watchStream } from "@rollcall/shared/watch-stream";
import { expiryOf } from "../call-errors.ts";
import { principalKey } from "../context.ts";
import { throwIfOver } from "../stages/bound-deadline.ts";

export interface DeadlineInterceptorOptions {
  /** Returns milliseconds since the Unix epoch. */
  now(): number;
}

/**
 * Ends a call as soon as its signal is aborted, for example at its deadline, even if the handler ignores the signal.
 * Ends a stream when the caller's token or certificate expires. Starts no handler for a call that is over.
 */
export function createDeadlineInterceptor({ now }: DeadlineInterceptorOptions): Interceptor {
  return (next) => async (request) => {
    throwIfOver(request.contextValues, request.signal);
    const controller = createLinkedAbortController(request.signal);
    const { signal } = controller;
    const principal = request.contextValues.get(principalKey);
    let timer: NodeJS.Timeout | undefined;
    if (request.stream && principal) {
      const expire = () => controller.abort(expiryOf(principal)());
      timer = setTimeout(expire, Math.min(Math.max(principal.expiresAtMs - now(), 0), MAX_TIMER_MS));
    }
    const clearTimer = () => clearTimeout(timer);

    try {
      const response = await abortable(next({ ...request, signal }), signal);
      if (response.stream) {
        return { ...response, message: watchStream(response.message, { signal, onEnd: clearTimer }) };
      }
      clearTimer();
      return response;
    } catch (error) {
      clearTimer();
      throw error;
    }
  };
}

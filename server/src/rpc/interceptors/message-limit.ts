import type { Interceptor } from "@connectrpc/connect";
import { watchStream } from "@rollcall/shared/watch-stream";
import { callKey } from "../context.ts";

/** Counts the messages of streams against the limits of their principals. */
export function createMessageLimitInterceptor(): Interceptor {
  return (next) => (request) => {
    const spend = request.contextValues.get(callKey)?.spendMessage;
    if (!spend || !request.stream) return next(request);
    return next({ ...request, message: watchStream(request.message, { onMessage: spend }) });
  };
}

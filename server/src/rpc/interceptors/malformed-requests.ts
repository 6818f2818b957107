import type { Interceptor } from "@connectrpc/connect";
import { watchStream } from "@rollcall/shared/watch-stream";
import { callKey } from "../context.ts";
import { toMalformed } from "../malformed.ts";

/**
 * Marks failures while a stream's messages are read as the fault of their sender. A call with one message is parsed
 * before any interceptor runs; for it the interceptor records that the parsing is over.
 */
export function createMalformedRequestsInterceptor(): Interceptor {
  return (next) => (request) => {
    const call = request.contextValues.get(callKey);
    if (call) call.isReadingRequest = false;
    if (!request.stream) return next(request);
    return next({ ...request, message: watchStream(request.message, { mapError: toMalformed }) });
  };
}

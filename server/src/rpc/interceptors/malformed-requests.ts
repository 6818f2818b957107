import type { Interceptor } from "@connectrpc/connect";
import { watchStream } from "@rollcall/shared/watch-stream";
import { callKey } from "../context.ts";
import { toMalformed } from "../malformed.ts";

/**
 * Marks failures to read a stream's messages as the fault of the sender. A unary message is parsed before any
 * interceptor runs, so there the interceptor only records that the parsing is over.
 */
export function createMalformedRequestsInterceptor(): Interceptor {
  return (next) => (request) => {
    const call = request.contextValues.get(callKey);
    if (call) call.isReadingRequest = false;
    if (!request.stream) return next(request);
    return next({ ...request, message: watchStream(request.message, { mapError: toMalformed }) });
  };
}

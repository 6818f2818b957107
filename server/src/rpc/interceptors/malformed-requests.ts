import type { Interceptor } from "@connectrpc/connect";
import { callKey } from "../context.ts";
import { toMalformed } from "../malformed.ts";
import { mapErrors } from "../map-errors.ts";

/**
 * Marks failures while a stream's messages are read as the fault of their sender. A call with one message is parsed
 * before any interceptor runs; for it the interceptor records that the parsing is over.
 */
export function createMalformedRequestsInterceptor(): Interceptor {
  return (next) => (request) => {
    const call = request.contextValues.get(callKey);
    if (call) call.isReadingRequest = false;
    return next(request.stream ? { ...request, message: mapErrors(request.message, toMalformed) } : request);
  };
}

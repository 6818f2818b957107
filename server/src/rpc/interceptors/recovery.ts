import type { Interceptor } from "@connectrpc/connect";
import { watchStream } from "@rollcall/shared/watch-stream";
import { callKey } from "../context.ts";

/**
 * Turns any error that a call throws into the one that its caller gets, as the call's record decides. Only one
 * interceptor is further out.
 */
export function createRecoveryInterceptor(): Interceptor {
  return (next) => async (request) => {
    const call = request.contextValues.get(callKey);
    const recover = (error: unknown) => call?.failInHandler(error, request.signal) ?? error;
    try {
      const response = await next(request);
      // A stream's handler runs while its messages are read, long after `next` has resolved.
      return response.stream
        ? { ...response, message: watchStream(response.message, { mapError: recover }) }
        : response;
    } catch (error) {
      throw recover(error);
    }
  };
}

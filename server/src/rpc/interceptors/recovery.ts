import type { Interceptor } from "@connectrpc/connect";
import { watchStream } from "@rollcall/shared/watch-stream";
import { callKey } from "../context.ts";

/**
 * Turns whatever a call throws into the error that its caller gets, as the call's record decides. It is the outermost
 * interceptor but one.
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

import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { callKey } from "../context.ts";
import { toConnectError } from "../errors.ts";
import { mapErrors } from "../map-errors.ts";

export interface RecoveryOptions {
  logger: Logger;
}

/**
 * Turns whatever a call throws into the error that its caller gets: domain errors
 * by the table, anything else into "internal server error", with the cause and its
 * stack in the log alone. The outermost interceptor.
 */
export function createRecoveryInterceptor({ logger }: RecoveryOptions): Interceptor {
  return (next) => async (request) => {
    const call = request.contextValues.get(callKey);
    const recover = (error: unknown): ConnectError => {
      const known = toConnectError(error, request.signal);
      if (!known || known.code === Code.Internal || known.code === Code.Unknown) {
        logger.error({ requestId: call?.requestId, method: call?.method, err: known?.cause ?? error }, "call failed");
      } else if (known.code === Code.Unavailable && known.cause) {
        logger.warn({ requestId: call?.requestId, method: call?.method, err: known.cause }, "call failed");
      }
      const sent = known ?? new ConnectError("internal server error", Code.Internal);
      if (call) call.error = sent;
      return sent;
    };
    try {
      const response = await next(request);
      // A stream's handler runs while its messages are read, long after `next` has resolved.
      return response.stream ? { ...response, message: mapErrors(response.message, recover) } : response;
    } catch (error) {
      throw recover(error);
    }
  };
}

import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { Logger } from "pino";
import { callKey } from "../call.ts";
import { toConnectError } from "../errors.ts";

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
      return response.stream ? { ...response, message: recoverEach(response.message, recover) } : response;
    } catch (error) {
      throw recover(error);
    }
  };
}

/** A stream's handler runs while its messages are read, long after `next` has resolved. */
function recoverEach<T>(messages: AsyncIterable<T>, recover: (error: unknown) => unknown): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      return {
        next: () =>
          iterator.next().catch((error: unknown) => {
            throw recover(error);
          }),
        async return(value) {
          return (await iterator.return?.(value)) ?? { done: true, value };
        },
        // What the consumer could not send is no fault of the handler's.
        async throw(error) {
          await iterator.return?.();
          throw error;
        },
      };
    },
  };
}

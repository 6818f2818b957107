import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { Logger } from "pino";
import type { Call } from "./call.ts";

/** What Connect's own contexts have, and the type that handlers see does not. */
type AbortableContext = HandlerContext & { abort(reason?: unknown): void };

/**
 * Records in `call` with which error it ends. Connect aborts a call's context with
 * that error, and for what fails outside of the interceptors, such as a response
 * that can't be encoded, no other place is told.
 */
export function recordOutcome(context: HandlerContext, call: Call, logger: Logger): void {
  const abortable = context as AbortableContext;
  const abort = abortable.abort;
  abortable.abort = (reason) => {
    if (reason instanceof Error && !call.error) {
      call.error = reason instanceof ConnectError ? reason : new ConnectError("internal server error", Code.Internal);
      if (call.error.code === Code.Internal) {
        const { requestId, method } = call;
        logger.error({ requestId, method, err: call.error.cause ?? reason }, "call failed");
      }
    }
    abort.call(abortable, reason);
  };
}

import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { Logger } from "pino";
import type { Call } from "./context.ts";
import { malformedCode, toMalformed } from "./malformed.ts";
import { makeSendable } from "./sendable-error.ts";

/** What Connect's own contexts have, and the type that handlers see does not. */
type AbortableContext = HandlerContext & { abort(reason?: unknown): void };

/**
 * Records in `call` with which error it ends, and gives that error the form in which
 * it can be sent. Connect aborts a call's context with the error before it writes it,
 * and for what fails outside of the interceptors, such as a request that can't be
 * parsed or a response that can't be encoded, there is no other place.
 */
export function recordOutcome(context: HandlerContext, call: Call, logger: Logger): void {
  const abortable = context as AbortableContext;
  const abort = abortable.abort;
  const logFault = (err: unknown) => {
    logger.error({ requestId: call.requestId, method: call.method, err }, "call failed");
  };
  abortable.abort = (reason) => {
    if (reason instanceof ConnectError) {
      const isOurs = !blameSender(reason, call) && !call.error && reason.code === Code.Internal;
      if (isOurs) {
        logFault(reason.cause ?? reason);
        Object.assign(reason, { rawMessage: "internal server error", details: [] });
      }
      makeSendable(reason, call.protocol).forEach(logFault);
      call.error ??= reason;
    } else if (reason instanceof Error && !call.error) {
      call.error = new ConnectError("internal server error", Code.Internal);
      logFault(reason);
    }
    abort.call(abortable, reason);
  };
}

/** Gives an error that is its sender's fault the code and words of the protocol; returns whether it is one. */
function blameSender(error: ConnectError, call: Call): boolean {
  const cause = call.isReadingRequest ? toMalformed(error) : error;
  if (!(cause instanceof ConnectError)) return false;
  const code = malformedCode(cause, call.protocol);
  if (code === undefined) return false;
  // Connect writes this very object.
  Object.assign(error, { code, rawMessage: cause.rawMessage });
  return true;
}

import { Code, ConnectError } from "@connectrpc/connect";
import {
  EmailTakenError,
  OutcomeUnknownError,
  StaleUserError,
  toRollcallError,
  UserNotFoundError,
  ValidationError,
} from "@rollcall/client";
import { NEVER } from "@rollcall/testing/linearizability/history";
import { UNKNOWN } from "@rollcall/testing/linearizability/model";

/** Refusals that are answers: the call certainly had no effect, and says why. */
export type Refusal = "not found" | "stale" | "taken" | "invalid";

/** Codes of answers after which a write may or may not have been made. */
const OPEN_CODES: readonly Code[] = [Code.DeadlineExceeded, Code.Canceled, Code.ResourceExhausted];

/**
 * Sorts the error of a call into three kinds: a refusal, {@link NEVER} or {@link UNKNOWN}. It is NEVER if no server was
 * reached, or if one answered that it is unavailable, which it must not do for a write that was made. It is UNKNOWN if
 * the answer was lost, or leaves open whether the write was made.
 *
 * @throws The error, if the server has answered with an internal fault.
 */
export function outcomeOf(error: unknown): Refusal | typeof UNKNOWN | typeof NEVER {
  const known = toRollcallError(error);
  if (known instanceof UserNotFoundError) return "not found";
  if (known instanceof StaleUserError) return "stale";
  if (known instanceof EmailTakenError) return "taken";
  if (known instanceof ValidationError) return "invalid";
  if (known instanceof OutcomeUnknownError) return UNKNOWN;
  const cause = ConnectError.from(error);
  if (cause.isWireError && cause.code === Code.Unavailable) return NEVER;
  if (cause.isWireError && !OPEN_CODES.includes(cause.code)) throw error;
  return isRefusedConnection(cause) ? NEVER : UNKNOWN;
}

function isRefusedConnection(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && cause.code === "ECONNREFUSED") return true;
    if (cause instanceof AggregateError && cause.errors.length > 0) return cause.errors.every(isRefusedConnection);
  }
  return false;
}

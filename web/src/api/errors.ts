import { Code, ConnectError } from "@connectrpc/connect";
import { EmailTakenError, findForeignAnswer, RollcallError, violationsOf } from "@rollcall/client";

/** Errors of a form: messages by the field's name; "" is the form as a whole. */
export type FieldErrors = Record<string, string[]>;

function connectErrorOf(reason: unknown): ConnectError {
  return reason instanceof RollcallError ? reason.cause : ConnectError.from(reason);
}

/** Describes an error for people. */
export function describeError(reason: unknown): string {
  // The browser throws this if a part of the app itself can't be loaded.
  if (reason instanceof TypeError) return "The server is not available at the moment.";
  const error = connectErrorOf(reason);
  const foreign = findForeignAnswer(error);
  if (foreign) return describeForeignAnswer(foreign.status);
  const { code, rawMessage } = error;
  switch (code) {
    case Code.Unavailable:
      return `The server is not available at the moment (${rawMessage}).`;
    case Code.Canceled:
      return "Canceled.";
    case Code.DeadlineExceeded:
      return "It took too long and was given up.";
    case Code.PermissionDenied:
      return `Your token does not allow this: ${rawMessage}.`;
    case Code.Internal:
    case Code.Unknown:
      return "Something went wrong on the server. Its log says what.";
    default: {
      const violations = violationsOf(error).map(({ field, description }) => `${field} ${description}`);
      // Only this generic message needs its violations appended; other messages already contain theirs.
      const sentence = rawMessage === "validation failed" ? `${rawMessage}: ${violations.join("; ")}` : rawMessage;
      return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`;
    }
  }
}

/** Describes an answer that is not the server's, without blaming the server. */
function describeForeignAnswer(status: number): string {
  const what = status === 0 ? "a redirect" : `HTTP ${status}`;
  const hint = status === 413 ? " It takes nothing as large as what was sent." : "";
  return `Something between this page and the server, such as a proxy, answered in its place, with ${what}.${hint}`;
}

/** Returns whether a call that failed with this error may still have taken effect. */
export function isOutcomeUnknown(reason: unknown): boolean {
  const { code } = connectErrorOf(reason);
  return [Code.Unavailable, Code.DeadlineExceeded, Code.Canceled, Code.Unknown].includes(code);
}

/** Groups an error's violations (google.rpc.BadRequest) by field; without any, its message is for the whole form. */
export function fieldErrors(reason: unknown): FieldErrors {
  if (reason instanceof EmailTakenError) return { email: [describeError(reason)] };
  const violations = violationsOf(connectErrorOf(reason));
  if (violations.length === 0) return { "": [describeError(reason)] };
  return groupByField(violations.map(({ field, description }) => ({ field, message: description })));
}

export function groupByField(problems: readonly { field: string; message: string }[]): FieldErrors {
  const byField: Record<string, string[]> = {};
  for (const { field, message } of problems) byField[field] = [...(byField[field] ?? []), message];
  return byField;
}

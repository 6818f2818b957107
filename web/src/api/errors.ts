import { Code, ConnectError } from "@connectrpc/connect";
import { findForeignAnswer, violationsOf } from "@rollcall/client";

/** What is wrong with a form: messages by the field's name; "" is the form as a whole. */
export type FieldErrors = Record<string, string[]>;

/** What a person is told of an error. */
export function describeError(reason: unknown): string {
  // What the browser throws when a part of the app itself can't be loaded.
  if (reason instanceof TypeError) return "The server is not available at the moment.";
  const error = ConnectError.from(reason);
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
      // Other messages than this one say themselves what their violation says.
      const sentence = rawMessage === "validation failed" ? `${rawMessage}: ${violations.join("; ")}` : rawMessage;
      return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`;
    }
  }
}

/** The server has no part in it, so it is not blamed. */
function describeForeignAnswer(status: number): string {
  const what = status === 0 ? "a redirect" : `HTTP ${status}`;
  const hint = status === 413 ? " It takes nothing as large as what was sent." : "";
  return `Something between this page and the server, such as a proxy, answered in its place, with ${what}.${hint}`;
}

/** Whether a call that failed with this may have done its work all the same. */
export function isOutcomeUnknown(reason: unknown): boolean {
  const { code } = ConnectError.from(reason);
  return [Code.Unavailable, Code.DeadlineExceeded, Code.Canceled, Code.Unknown].includes(code);
}

/** The violations (google.rpc.BadRequest) of an error by field; of any other error, its message for the whole form. */
export function fieldErrors(reason: unknown): FieldErrors {
  const error = ConnectError.from(reason);
  if (error.code === Code.AlreadyExists) return { email: [describeError(error)] };
  const violations = violationsOf(error);
  if (violations.length === 0) return { "": [describeError(error)] };
  return groupByField(violations.map(({ field, description }) => ({ field, message: description })));
}

export function groupByField(problems: readonly { field: string; message: string }[]): FieldErrors {
  const byField: Record<string, string[]> = {};
  for (const { field, message } of problems) byField[field] = [...(byField[field] ?? []), message];
  return byField;
}

import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "@rollcall/gen/google/rpc/error_details";

/** What is wrong with a form: messages by the field's name; "" is the form as a whole. */
export type FieldErrors = Record<string, string[]>;

/** What a person is told of an error. */
export function describeError(reason: unknown): string {
  // What the browser throws when a part of the app itself can't be loaded.
  if (reason instanceof TypeError) return "The server can't be reached at the moment.";
  const { code, rawMessage } = ConnectError.from(reason);
  switch (code) {
    case Code.Unavailable:
      return `The server can't be reached at the moment (${rawMessage}).`;
    case Code.Canceled:
      return "Canceled.";
    case Code.DeadlineExceeded:
      return "It took too long and was given up.";
    case Code.PermissionDenied:
      return `Your token does not allow this: ${rawMessage}.`;
    case Code.Internal:
    case Code.Unknown:
      return "Something went wrong on the server. Its log says what.";
    default:
      return `${rawMessage.charAt(0).toUpperCase()}${rawMessage.slice(1)}.`;
  }
}

/** The violations (google.rpc.BadRequest) of an error by field; of any other error, its message for the whole form. */
export function fieldErrors(reason: unknown): FieldErrors {
  const error = ConnectError.from(reason);
  if (error.code === Code.AlreadyExists) return { email: [describeError(error)] };
  const violations = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
  if (violations.length === 0) return { "": [describeError(error)] };
  return groupByField(violations.map(({ field, description }) => ({ field, message: description })));
}

export function groupByField(problems: readonly { field: string; message: string }[]): FieldErrors {
  const byField: Record<string, string[]> = {};
  for (const { field, message } of problems) byField[field] = [...(byField[field] ?? []), message];
  return byField;
}

import type { ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "@rollcall/gen/google/rpc/error_details";

/** One thing that is wrong with a request. */
export interface FieldViolation {
  /** Path of the field, by its name in the contract; empty for the whole message. */
  readonly field: string;
  readonly description: string;
}

/** Returns all that is wrong with a request, as its error says (google.rpc.BadRequest); nothing for any other error. */
export function violationsOf(error: ConnectError): FieldViolation[] {
  return error
    .findDetails(BadRequestSchema)
    .flatMap(({ fieldViolations }) => fieldViolations.map(({ field, description }) => ({ field, description })));
}

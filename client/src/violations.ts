import type { ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "@rollcall/gen/google/rpc/error_details";

/** One fault of a request. */
export interface FieldViolation {
  /** Path of the field, by its name in the contract; empty for the whole message. */
  readonly field: string;
  readonly description: string;
}

/** Returns all violations that a request's error lists (google.rpc.BadRequest). Other errors list none. */
export function violationsOf(error: ConnectError): FieldViolation[] {
  return error
    .findDetails(BadRequestSchema)
    .flatMap(({ fieldViolations }) => fieldViolations.map(({ field, description }) => ({ field, description })));
}

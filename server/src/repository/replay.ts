import { InvalidArgumentError } from "../domain/errors.ts";
import type { User } from "../domain/user.ts";
import type { IdempotencyKey } from "./user-repository.ts";

/** Stored record of a create request. */
export interface RememberedRequest {
  readonly requestHash: string;
  /** The user that it created, as JSON. */
  readonly response: string;
}

/**
 * Returns the user that the same request created before.
 *
 * @throws InvalidArgumentError when the request id was used for another request.
 */
export function replay({ requestHash }: IdempotencyKey, remembered: RememberedRequest): User {
  if (remembered.requestHash === requestHash) return JSON.parse(remembered.response) as User;
  const description = "was used for a different request";
  throw new InvalidArgumentError("request_id was used for a different request", [{ field: "request_id", description }]);
}

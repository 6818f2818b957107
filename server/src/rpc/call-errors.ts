import { Code, ConnectError } from "@connectrpc/connect";
import type { Principal } from "../domain/principal.ts";

/**
 * Reason that ends work which a handler has left running after its call. It is made once: the stack of an error costs
 * more than most calls.
 */
export const CALL_ENDED = new ConnectError("the call has ended", Code.Canceled);

export function deadlineExceeded(): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded);
}

/** Creates the error of a request whose rest has not arrived in time. */
export function tooLate(): ConnectError {
  return new ConnectError("the request did not arrive in time", Code.DeadlineExceeded);
}

export function tooLarge(bytes: number, maxBytes: number): ConnectError {
  return new ConnectError(
    `message size ${bytes} is larger than configured readMaxBytes ${maxBytes}`,
    Code.ResourceExhausted,
  );
}

/** Creates the error of a body that ends within a message. */
export function endsWithin(): ConnectError {
  return new ConnectError("the request ends within a message", Code.InvalidArgument);
}

function tokenExpired(): ConnectError {
  return new ConnectError("token has expired", Code.Unauthenticated);
}

export function certificateExpired(): ConnectError {
  return new ConnectError("client certificate has expired", Code.Unauthenticated);
}

/** Returns the function that creates the error for a caller whose token or certificate has expired. */
export function expiryOf({ isByCertificate }: Principal): () => ConnectError {
  return isByCertificate ? certificateExpired : tokenExpired;
}

/** Creates the error of a call whose client has gone, for a reason that the carrier knows. */
export function canceled(reason?: unknown): ConnectError {
  return new ConnectError("the call was canceled", Code.Canceled, undefined, undefined, reason);
}

import { Code, ConnectError } from "@connectrpc/connect";

export function deadlineExceeded(): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded);
}

/** The error of a request whose rest has not come. */
export function tooLate(): ConnectError {
  return new ConnectError("the request did not arrive in time", Code.DeadlineExceeded);
}

export function tooLarge(bytes: number, maxBytes: number): ConnectError {
  return new ConnectError(
    `message size ${bytes} is larger than configured readMaxBytes ${maxBytes}`,
    Code.ResourceExhausted,
  );
}

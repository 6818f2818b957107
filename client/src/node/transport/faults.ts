import { Code, ConnectError } from "@connectrpc/connect";

/** Creates the error of an answer that breaks its protocol: the server's fault, or that of something in between. */
export function broken(what: string): ConnectError {
  return new ConnectError(`broken response: ${what}`, Code.Internal);
}

/**
 * Returns the error of a decoder, which servers use too, as one of the answer: whatever can't be read is the server's
 * fault.
 */
export function toBroken(error: unknown): ConnectError {
  const known = ConnectError.from(error, Code.Internal);
  if (known.code !== Code.InvalidArgument || known.isWireError) return known;
  return new ConnectError(`broken response: ${known.rawMessage}`, Code.Internal, known.metadata, undefined, error);
}

export function tooLarge(bytes: number, maxBytes: number): ConnectError {
  return new ConnectError(
    `message size ${bytes} is larger than configured readMaxBytes ${maxBytes}`,
    Code.ResourceExhausted,
  );
}

/** A message too many, or none, where the method has one. The code is gRPC's, for calls of another kind. */
export function wrongCount(what: "missing" | "received extra"): ConnectError {
  return new ConnectError(`protocol error: ${what} output message for unary method`, Code.Unimplemented);
}

export function deadlineExceeded(): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded);
}

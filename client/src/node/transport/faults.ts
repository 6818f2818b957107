import type { IncomingHttpHeaders } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import { MAX_ERROR_BYTES } from "../../internal/foreign-answer.ts";

/** Creates the error of an answer that violates its protocol. The fault is the server's, or that of an intermediary. */
export function broken(what: string): ConnectError {
  return new ConnectError(`broken response: ${what}`, Code.Internal);
}

/**
 * Converts a decoder's error to an error of the answer: servers use the same decoders, but here anything that can't be
 * read is the server's fault.
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

/** Creates the error of a wrong number of messages, where the method has one. gRPC uses this code for it. */
export function wrongCount(what: "missing" | "received extra"): ConnectError {
  return new ConnectError(`protocol error: ${what} output message for unary method`, Code.Unimplemented);
}

export function deadlineExceeded(): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded);
}

/**
 * Returns whether the head of an answer promises a body that is not longer than an error. If so, it is read even if its
 * content does not matter, since over HTTP/1.1 the connection would be lost otherwise.
 */
export function isShort({ "content-length": length }: IncomingHttpHeaders): boolean {
  return Number(length) <= MAX_ERROR_BYTES;
}

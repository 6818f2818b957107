import { findTrailerError, validateTrailer } from "@connectrpc/connect/protocol-grpc";

const DETAILS = "grpc-status-details-bin";
const MESSAGE = "grpc-message";

/**
 * Removes details that can't be read or hide the status, and escapes a message with broken escapes, so that it is taken
 * as it is. gRPC requires that neither changes the status; Connect would throw another error for them.
 *
 * @param fields Trailers, or the head of an answer without any.
 */
export function mendStatus(fields: Headers): void {
  if (isReadable(fields)) return;
  fields.delete(DETAILS);
  if (!isReadable(fields)) fields.set(MESSAGE, encodeURIComponent(fields.get(MESSAGE) ?? ""));
}

/** @throws the error in the trailers, or one for missing trailers. */
export function checkTrailer(trailer: Headers, header: Headers): void {
  mendStatus(trailer);
  validateTrailer(trailer, header);
}

function isReadable(fields: Headers): boolean {
  const status = fields.get("grpc-status");
  try {
    return findTrailerError(fields) !== undefined || status === null || status === "0";
  } catch {
    return false;
  }
}

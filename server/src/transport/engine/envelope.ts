import { Code, ConnectError } from "@connectrpc/connect";
import { malformed } from "../../rpc/malformed.ts";

/** Of an envelope: a byte of flags and four of length. */
export const ENVELOPE_HEADER_BYTES = 5;
const COMPRESSED = 1;

/** Puts a message into an envelope. */
export function envelope(flags: number, message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(ENVELOPE_HEADER_BYTES + message.byteLength);
  bytes[0] = flags;
  bytes.writeUInt32BE(message.byteLength, 1);
  bytes.set(message, ENVELOPE_HEADER_BYTES);
  return bytes;
}

/** Size of the message in the envelope that begins these bytes; 0 while its header is not complete. */
export function sizeInEnvelope(bytes: Uint8Array): number {
  const [, a = 0, b = 0, c = 0, d] = bytes;
  return d === undefined ? 0 : a * 0x1000000 + ((b << 16) | (c << 8) | d);
}

/** The one message of a unary request. @throws ConnectError where there is none, more than one, or a part of one. */
export function openEnvelope(body: Uint8Array): Uint8Array {
  if (body.byteLength === 0) {
    throw new ConnectError("protocol error: missing input message for unary method", Code.Unimplemented);
  }
  const end = ENVELOPE_HEADER_BYTES + sizeInEnvelope(body);
  if (body.byteLength < end) throw endsWithin();
  if (((body[0] ?? 0) & COMPRESSED) !== 0) {
    throw malformed("a message is flagged as compressed, but the request names no encoding", "framing");
  }
  if (body.byteLength > end) {
    if (body.byteLength < end + ENVELOPE_HEADER_BYTES + sizeInEnvelope(body.subarray(end))) throw endsWithin();
    throw new ConnectError("protocol error: received extra input message for unary method", Code.Unimplemented);
  }
  return body.subarray(ENVELOPE_HEADER_BYTES);
}

function endsWithin(): ConnectError {
  return new ConnectError("the request ends within a message", Code.InvalidArgument);
}

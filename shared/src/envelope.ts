/** Header of an envelope: a byte of flags and four of length. */
export const ENVELOPE_HEADER_BYTES = 5;
/** Flag of a message in the coding that the headers name. */
export const COMPRESSED = 1;

/** Puts a message into an envelope. */
export function envelope(flags: number, message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(ENVELOPE_HEADER_BYTES + message.byteLength);
  bytes[0] = flags;
  bytes.writeUInt32BE(message.byteLength, 1);
  bytes.set(message, ENVELOPE_HEADER_BYTES);
  return bytes;
}

/** Puts messages into envelopes, one after the other. @param size Total size, including the envelopes. */
export function envelopes(messages: readonly Uint8Array[], size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  let end = 0;
  for (const message of messages) {
    bytes[end] = 0;
    bytes.writeUInt32BE(message.byteLength, end + 1);
    bytes.set(message, end + ENVELOPE_HEADER_BYTES);
    end += ENVELOPE_HEADER_BYTES + message.byteLength;
  }
  return bytes;
}

/** Returns the size of the message in the envelope that begins these bytes; 0 while its header is incomplete. */
export function sizeInEnvelope(bytes: Uint8Array, start = 0): number {
  const d = bytes[start + 4];
  if (d === undefined) return 0;
  const [a, b, c] = [bytes[start + 1] ?? 0, bytes[start + 2] ?? 0, bytes[start + 3] ?? 0];
  return a * 0x1000000 + ((b << 16) | (c << 8) | d);
}

import { randomFillSync } from "node:crypto";

/** Printable ASCII without spaces or quotes: safe in a header, a log line and a shell. */
const VALID = /^[\w.:/+=@-]{1,128}$/;

/** Bytes of a UUID, and of the random bytes that are drawn at once: 256 UUIDs. */
const UUID_BYTES = 16;
const DRAWN_BYTES = 256 * UUID_BYTES;
/** Places of the hyphens in the text of a UUID (RFC 9562, 4). */
const HYPHENS = new Set([8, 13, 18, 23]);
const HEX = Buffer.from("0123456789abcdef");

const drawn = Buffer.alloc(DRAWN_BYTES);
let used = DRAWN_BYTES;
const text = Buffer.alloc(36, "-");
/** Places of the digits in the text. */
const places = Uint8Array.from([...text.keys()].filter((place) => !HYPHENS.has(place)));

/** Returns the caller's `x-request-id` if it is valid, else a new one. */
export function requestIdFrom(header: string | string[] | undefined): string {
  return typeof header === "string" && VALID.test(header) ? header : newRequestId();
}

/**
 * Creates a UUID of version 4. Node's own is joined from many small strings, which stay in memory as long as it does;
 * there is one for each call.
 */
function newRequestId(): string {
  if (used === DRAWN_BYTES) {
    randomFillSync(drawn);
    used = 0;
  }
  drawn[used + 6] = (byteAt(6) & 0x0f) | 0x40;
  drawn[used + 8] = (byteAt(8) & 0x3f) | 0x80;
  for (let i = 0; i < UUID_BYTES; i++) {
    const byte = byteAt(i);
    text[places[2 * i] ?? 0] = HEX[byte >> 4] ?? 0;
    text[places[2 * i + 1] ?? 0] = HEX[byte & 0x0f] ?? 0;
  }
  used += UUID_BYTES;
  return text.toString("latin1");
}

function byteAt(index: number): number {
  return drawn[used + index] ?? 0;
}

import type { ConnectError } from "@connectrpc/connect";
import { COMPRESSED, ENVELOPE_HEADER_BYTES, sizeInEnvelope } from "@rollcall/shared/envelope";
import { endsWithin } from "../../rpc/call-errors.ts";
import { malformed } from "../../rpc/malformed.ts";

export interface OpenOptions {
  /** Whether the headers name a coding. */
  isCoded: boolean;
  /** Flag of an envelope that is not a message; 0 for none. */
  endFlag: number;
}

/** Message of a unary request. */
export interface Opened {
  readonly message: Uint8Array;
  readonly isCompressed: boolean;
  /** Position of the end of its envelope. */
  readonly end: number;
}

/** Returns the first message at or after `start`, or the error in its place; undefined at the end of the body. */
export function openEnvelope(
  body: Uint8Array,
  start: number,
  { isCoded, endFlag }: OpenOptions,
): Opened | ConnectError | undefined {
  for (let at = start; at < body.byteLength; ) {
    const end = at + ENVELOPE_HEADER_BYTES + sizeInEnvelope(body, at);
    const flags = body[at] ?? 0;
    const isCompressed = (flags & COMPRESSED) !== 0;
    if (body.byteLength < end) return endsWithin();
    if (isCompressed && !isCoded) return withoutCoding();
    if (endFlag === 0 || (flags & endFlag) !== endFlag) {
      return { message: body.subarray(at + ENVELOPE_HEADER_BYTES, end), isCompressed, end };
    }
    at = end;
  }
  return undefined;
}

/** Creates the error of a message that is flagged as compressed although the headers name no coding. */
export function withoutCoding(): ConnectError {
  return malformed("a message is flagged as compressed, but the request names no encoding", "framing");
}

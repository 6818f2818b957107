import { isUtf8 } from "node:buffer";
import { foreignEncoding } from "./foreign-encoding.ts";

const LINE_FEED = 0x0a;

export interface Line {
  /** Counts from 1. */
  readonly number: number;
  /**
   * Text of the line, with U+FFFD in place of bytes that are not UTF-8. For a line that is too long, only the
   * beginning.
   */
  readonly text: string;
  readonly isTooLong: boolean;
  /** Why the text must not be used, such as `is not UTF-8`. */
  readonly problem: string | undefined;
  /** Encoding such as `UTF-16LE`, if it is plain to see. */
  readonly encoding: string | undefined;
}

export interface LineLimit {
  readonly bytes: number;
  /** The limit in words, such as `64 KiB`. */
  readonly text: string;
}

/** Longest line that is a message: a server's default limit. */
export const MESSAGE_LINE_LIMIT: LineLimit = { bytes: 4 * 1_024 ** 2, text: "4 MiB" };

/**
 * Yields the lines of a UTF-8 stream, in bounded memory. A line ends only with LF or CR LF. A byte order mark at the
 * very beginning is dropped.
 */
export async function* linesOf(input: AsyncIterable<Uint8Array | string>, limit: LineLimit): AsyncGenerator<Line> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  let number = 0;
  const add = (piece: Uint8Array) => {
    if (bytes < limit.bytes) pieces.push(piece.subarray(0, limit.bytes - bytes));
    bytes += piece.length;
  };
  const take = (): Line => {
    number += 1;
    const line = toLine(number, Buffer.concat(pieces), bytes > limit.bytes ? limit : undefined);
    pieces = [];
    bytes = 0;
    return line;
  };
  for await (const chunk of input) {
    const buffer = Buffer.from(chunk);
    let start = 0;
    for (let end = buffer.indexOf(LINE_FEED); end !== -1; end = buffer.indexOf(LINE_FEED, start)) {
      add(buffer.subarray(start, end));
      yield take();
      start = end + 1;
    }
    add(buffer.subarray(start));
  }
  if (bytes > 0) yield take();
}

function toLine(number: number, bytes: Buffer, exceeded: LineLimit | undefined): Line {
  const text = bytes.toString().replace(/\r$/, "");
  const encoding = foreignEncoding(bytes);
  return {
    number,
    text: number === 1 ? text.replace(/^\uFEFF/, "") : text,
    isTooLong: exceeded !== undefined,
    problem: problemOf(bytes, encoding, exceeded),
    encoding,
  };
}

function problemOf(bytes: Buffer, encoding: string | undefined, exceeded: LineLimit | undefined): string | undefined {
  if (encoding !== undefined) return `is ${encoding}: convert it to UTF-8, as iconv -f ${encoding} -t UTF-8 does`;
  if (exceeded) return `is longer than ${exceeded.text}`;
  return isUtf8(bytes) ? undefined : "is not UTF-8: convert it to UTF-8";
}

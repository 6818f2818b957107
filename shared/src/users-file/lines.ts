import { foreignEncoding } from "./foreign-encoding.ts";

const LINE_FEED = 0x0a;
const encoder = new TextEncoder();
// Both keep a byte order mark, since it is only dropped at the beginning of the stream.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

export interface Line {
  /** Counts from 1. */
  readonly number: number;
  /**
   * Text of the line, with U+FFFD in place of bytes that are not UTF-8. For a line that is too long, only the
   * beginning.
   */
  readonly text: string;
  readonly isTooLong: boolean;
  /** Reason why the text must not be used, such as `is not UTF-8`. */
  readonly problem: string | undefined;
  /** Encoding such as `UTF-16LE`, if it can be recognised. */
  readonly encoding: string | undefined;
}

export interface LineLimit {
  readonly bytes: number;
  /** The limit in words, such as `64 KiB`. */
  readonly text: string;
}

/** Longest line that is a message; equal to a server's default limit. */
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
    const line = toLine(number, concat(pieces), bytes > limit.bytes ? limit : undefined);
    pieces = [];
    bytes = 0;
    return line;
  };
  for await (const chunk of input) {
    const buffer = typeof chunk === "string" ? encoder.encode(chunk) : chunk;
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

function toLine(number: number, bytes: Uint8Array, exceeded: LineLimit | undefined): Line {
  const strict = decodeStrictly(bytes);
  const text = (strict ?? decoder.decode(bytes)).replace(/\r$/, "");
  const encoding = foreignEncoding(bytes);
  return {
    number,
    text: number === 1 ? text.replace(/^\uFEFF/, "") : text,
    isTooLong: exceeded !== undefined,
    problem: problemOf(encoding, exceeded) ?? (strict === undefined ? NOT_UTF8 : undefined),
    encoding,
  };
}

const NOT_UTF8 = "is not UTF-8: convert it to UTF-8";

function problemOf(encoding: string | undefined, exceeded: LineLimit | undefined): string | undefined {
  if (encoding !== undefined) return `is ${encoding}: convert it to UTF-8, as iconv -f ${encoding} -t UTF-8 does`;
  if (exceeded) return `is longer than ${exceeded.text}`;
  return undefined;
}

/** Returns the text of bytes in UTF-8; undefined if they are not. */
function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (first && pieces.length === 1) return first;
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

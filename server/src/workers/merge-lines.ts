import type { Readable } from "node:stream";

/** Longest line that is kept in one piece, in bytes: many times the longest that is logged. */
const MAX_LINE_BYTES = 1024 ** 2;
const LINE_FEED = 10;

/**
 * Passes on only whole lines, so that those of several processes do not mix, and adds the worker's number to each that
 * is JSON.
 */
export function mergeLines(input: Readable | null, output: { write(lines: string): void }, worker: number): void {
  let rest: Buffer = Buffer.alloc(0);
  const mark = (line: string) => (line.startsWith("{") ? `{"worker":${worker},${line.slice(1)}` : line);
  input?.on("data", (chunk: Buffer) => {
    const bytes = rest.byteLength > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const end = bytes.byteLength > MAX_LINE_BYTES ? bytes.byteLength : bytes.lastIndexOf(LINE_FEED) + 1;
    rest = bytes.subarray(end);
    if (end > 0) output.write(bytes.toString("utf8", 0, end).split("\n").map(mark).join("\n"));
  });
  // A process that was killed may have written only a part of its last line.
  input?.on("end", () => {
    if (rest.byteLength > 0) output.write(`${mark(rest.toString())}\n`);
  });
}

import { createReadStream } from "node:fs";
import { sizeOfFile } from "./input.ts";

const LINE_FEED = 0x0a;
const SPACE = 0x20;

/**
 * Counts the lines of a file that are not empty. Resolves with undefined for a pipe or standard input, which can be
 * read only once, and when aborted.
 */
export async function countLines(path: string, signal: AbortSignal): Promise<number | undefined> {
  if ((await sizeOfFile(path)) === undefined) return undefined;
  let count = 0;
  let isEmpty = true;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2 })) {
    if (signal.aborted) return undefined;
    for (const byte of chunk as Buffer) {
      if (byte > SPACE && isEmpty) count += 1;
      isEmpty = byte === LINE_FEED || (isEmpty && byte <= SPACE);
    }
  }
  return count;
}

import { createReadStream } from "node:fs";
import { addAbortSignal, type Readable } from "node:stream";
import type { Io } from "./io.ts";
import { STANDARD_INPUT } from "./size-of-file.ts";

/** Opens a file, or standard input, to read bytes. When the signal is aborted, a read that waits for more fails. */
export function openInput(path: string, { stdin }: Io, signal: AbortSignal): Readable {
  if (path === STANDARD_INPUT) return addAbortSignal(signal, stdin);
  return createReadStream(path, { signal });
}

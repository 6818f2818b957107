import { constants, createReadStream } from "node:fs";
import { access, stat } from "node:fs/promises";
import { addAbortSignal, type Readable } from "node:stream";
import { fileFault } from "@rollcall/shared/file-fault";
import { UsageError } from "./exit.ts";
import type { Io } from "./io.ts";

/** Argument that stands for standard input, where a command takes a file. */
export const STANDARD_INPUT = "-";

/**
 * Returns the size in bytes of a file that is about to be read; undefined for a pipe and for standard input.
 *
 * @throws UsageError when it can't be read, or is a folder.
 */
export async function sizeOfFile(path: string): Promise<number | undefined> {
  if (path === STANDARD_INPUT) return undefined;
  try {
    await access(path, constants.R_OK);
    const stats = await stat(path);
    if (!stats.isDirectory()) return stats.isFile() ? stats.size : undefined;
  } catch (error) {
    throw new UsageError(`${path} ${fileFault(error)}`, { cause: error });
  }
  throw new UsageError(`${path} ${fileFault({ code: "EISDIR" })}`);
}

/** Opens a file, or standard input, to read bytes. When the signal is aborted, a read that waits for more fails. */
export function openInput(path: string, { stdin }: Io, signal: AbortSignal): Readable {
  if (path === STANDARD_INPUT) return addAbortSignal(signal, stdin);
  return createReadStream(path, { signal });
}

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { fileFault } from "@rollcall/shared/file-fault";
import { UsageError } from "./exit.ts";

/** Name of standard input, where a command takes a file. */
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

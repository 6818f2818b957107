import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { UsageError } from "./exit.ts";

/**
 * The size of a file that is about to be read, in bytes.
 *
 * @throws UsageError when it can't be read, or is a directory.
 */
export async function sizeOfFile(path: string): Promise<number> {
  try {
    await access(path, constants.R_OK);
    const stats = await stat(path);
    if (!stats.isDirectory()) return stats.size;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
  throw new UsageError(`${path} is a directory`);
}

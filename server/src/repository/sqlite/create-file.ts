import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseOpenError } from "../database-open.ts";

const PART_IS_FILE = "a part of its path is a file, not a folder";
const NO_PERMISSION = "this user has no permission for";
/** Words for Node's error codes of a file that can't be made, read or written. */
const REASONS: Readonly<Record<string, string>> = {
  EEXIST: PART_IS_FILE,
  ENOTDIR: PART_IS_FILE,
  EACCES: NO_PERMISSION,
  EPERM: NO_PERMISSION,
  EROFS: "its file system is read-only",
};

/**
 * Creates an empty file if there is none. SQLite itself would create a database and a log that everybody can read.
 * Never opens an existing file: closing it would release the locks of every other connection in this process.
 *
 * @throws DatabaseOpenError when the file can't be made, read and written.
 */
export function createFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
  } catch (error) {
    throw new DatabaseOpenError(`${path} can't be made (${reasonOf(error, "its folder")})`, { cause: error });
  }
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw new DatabaseOpenError(`${path} can't be read and written (${reasonOf(error, "it")})`, { cause: error });
  }
  if (!statSync(path).isFile()) throw new DatabaseOpenError(`${path} is not a file`);
}

/** @param concerned Object for which a permission is missing. */
function reasonOf(error: unknown, concerned: string): string {
  const { code = "unknown" } = error as NodeJS.ErrnoException;
  const reason = REASONS[code] ?? code;
  return reason === NO_PERMISSION ? `${reason} ${concerned}` : reason;
}

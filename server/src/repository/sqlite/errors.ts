import { DatabaseUnavailableError, EmailTakenError } from "../../domain/errors.ts";

// https://sqlite.org/rescode.html
const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
const SQLITE_CONSTRAINT_UNIQUE = 2067;
const UNAVAILABLE_RESULT_CODES = new Set([
  SQLITE_BUSY,
  6, // SQLITE_LOCKED
  8, // SQLITE_READONLY
  10, // SQLITE_IOERR
  13, // SQLITE_FULL
  14, // SQLITE_CANTOPEN
  15, // SQLITE_PROTOCOL
]);

function resultCode(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) : undefined;
}

/** The low byte of a result code, which more precise codes share. */
function primaryCode(error: unknown): number | undefined {
  const code = resultCode(error);
  return code === undefined ? undefined : code & 0xff;
}

/** Whether an error of SQLite says that another process has the database locked. */
export function isBusy(error: unknown): boolean {
  return primaryCode(error) === SQLITE_BUSY;
}

/** Whether an error of SQLite says that the file holds no database, or a damaged one, or no longer our tables. */
export function isCorrupt(error: unknown): boolean {
  const code = primaryCode(error);
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) return true;
  return code === SQLITE_ERROR && error instanceof Error && /^no such (table|column|index)/.test(error.message);
}

/** Whether SQLite, or node:sqlite with its database closed, can't serve for now. */
export function isUnavailable(error: unknown): boolean {
  const code = primaryCode(error);
  if (code !== undefined) return UNAVAILABLE_RESULT_CODES.has(code);
  return error instanceof Error && /database is not open|statement has been finalized/.test(error.message);
}

/** The domain's error for one of SQLite; anything else as it is. */
export function toDomainError(error: unknown): unknown {
  if (isUnavailable(error)) return new DatabaseUnavailableError({ cause: error });
  if (resultCode(error) === SQLITE_CONSTRAINT_UNIQUE) return new EmailTakenError();
  return error;
}

import { DatabaseUnavailableError, EmailTakenError, OutcomeUnknownError } from "../../domain/errors.ts";

// https://sqlite.org/rescode.html
const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
const SQLITE_IOERR_FSYNC = 1034;
const SQLITE_READONLY_DIRECTORY = 1544;
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

/** Returns the low byte of a result code, which extended codes share. */
function primaryCode(error: unknown): number | undefined {
  const code = resultCode(error);
  return code === undefined ? undefined : code & 0xff;
}

/** Returns whether an SQLite error means that another process has the database locked. */
export function isBusy(error: unknown): boolean {
  return primaryCode(error) === SQLITE_BUSY;
}

/** Returns whether an SQLite error means that no file can be created in the database's folder. */
export function isFolderReadOnly(error: unknown): boolean {
  return resultCode(error) === SQLITE_READONLY_DIRECTORY;
}

/** Returns whether an SQLite error means that the file is not a database, is damaged, or no longer has our tables. */
export function isCorrupt(error: unknown): boolean {
  const code = primaryCode(error);
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) return true;
  return code === SQLITE_ERROR && error instanceof Error && /^no such (table|column|index)/.test(error.message);
}

/** Returns whether SQLite can't serve for now, or node:sqlite can't because the database is closed. */
export function isUnavailable(error: unknown): boolean {
  const code = primaryCode(error);
  if (code !== undefined) return UNAVAILABLE_RESULT_CODES.has(code);
  return error instanceof Error && /database is not open|statement has been finalized/.test(error.message);
}

/** Returns whether it was the index of e-mails that refused a user. Ids and words have unique indexes too. */
function isEmailTaken(error: unknown): boolean {
  return resultCode(error) === SQLITE_CONSTRAINT_UNIQUE && /users\.email_key$/.test((error as Error).message);
}

/** Converts an SQLite error to the domain's error. Returns any other error unchanged. */
export function toDomainError(error: unknown): unknown {
  // The transaction is in the log file, but this process has lost it. A process that opens the file after a crash would
  // find it there, unless another transaction has been written over it.
  if (resultCode(error) === SQLITE_IOERR_FSYNC) return new OutcomeUnknownError({ cause: error });
  if (isUnavailable(error)) return new DatabaseUnavailableError({ cause: error });
  if (isEmailTaken(error)) return new EmailTakenError();
  return error;
}

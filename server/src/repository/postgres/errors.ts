import {
  DatabaseCorruptError,
  DatabaseMissingError,
  DatabaseUnavailableError,
  DatabaseUnwritableError,
  DomainError,
} from "../../domain/errors.ts";

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const UNIQUE_VIOLATION = "23505";
const LOCK_NOT_AVAILABLE = "55P03";
/**
 * Another transaction was in the way, and nothing of this one remains: serialization failure, deadlock, and the two
 * above.
 */
const RACED = new Set(["40001", "40P01", UNIQUE_VIOLATION, LOCK_NOT_AVAILABLE]);
/** Read-only transaction or standby, missing permission, full disk, failed system call such as a write or fsync. */
const UNWRITABLE = new Set(["25006", "42501", "53100", "58030"]);
/** Undefined table or column, because somebody changed the schema; damaged data; damaged index. */
const CORRUPT = new Set(["42P01", "42703", "XX001", "XX002"]);
const UNKNOWN_DATABASE = "3D000";
/** Connection exceptions, no such authorization, insufficient resources, operator intervention; timeouts of sessions. */
const UNAVAILABLE = /^(?:08|28|53|57)|^25P0[34]$|^55P03$|^40(?:001|P01)$/;
/** The server ended the session, or refuses to begin one: it stops, starts, recovers, or has too many. */
const SESSION_ENDED = /^(?:08|28|57P0[1-3]$)/;
/** Errors of sockets and of TLS. */
const NETWORK = /^E[A-Z0-9]+$|^ERR_(?:TLS|SSL|SOCKET)|CERT|SIGNATURE/;
/** Errors of the driver itself, which have no code. */
const DRIVER =
  /^Connection terminated|^timeout expired|Query read timeout|not queryable|^timeout exceeded when trying|SSL/;

/** Returns PostgreSQL's code of an error (SQLSTATE), or Node's, such as ECONNREFUSED. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** Returns PostgreSQL's code (SQLSTATE) of an error, or of its cause; undefined if neither has one. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = codeOf(error) || codeOf((error as Error | undefined)?.cause);
  return isSqlState(code) ? code : undefined;
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]/.test(code);
}

/**
 * Returns whether an error shows that the server can't be reached or hangs. Other errors show that it refused or ended
 * one statement.
 */
export function isAway(error: unknown): boolean {
  const code = codeOf(error);
  if (isSqlState(code)) return SESSION_ENDED.test(code) || code === UNKNOWN_DATABASE;
  if (code !== "") return NETWORK.test(code);
  return error instanceof Error && DRIVER.test(error.message) && !error.message.startsWith("timeout exceeded");
}

/** Returns whether the transaction may succeed if it is run again without the others in its way. */
export function isRaced(error: unknown): boolean {
  return RACED.has(codeOf(error));
}

/** Returns whether another transaction kept a lock for too long. */
export function isLockTimeout(error: unknown): boolean {
  return codeOf(error) === LOCK_NOT_AVAILABLE;
}

/** Returns whether certainly nothing was committed: the server answered with a refusal. */
export function isRefusal(error: unknown): boolean {
  const code = codeOf(error);
  return isSqlState(code) && !SESSION_ENDED.test(code);
}

/** Converts an error of PostgreSQL or its driver to the domain's error. Returns any other error unchanged. */
export function toDomainError(error: unknown): unknown {
  if (error instanceof DomainError || !(error instanceof Error)) return error;
  const code = codeOf(error);
  const options = { cause: error };
  if (UNWRITABLE.has(code)) return new DatabaseUnwritableError(options);
  if (CORRUPT.has(code)) return new DatabaseCorruptError(options);
  if (code === UNKNOWN_DATABASE) return new DatabaseMissingError(options);
  const isUnavailable = isSqlState(code) ? UNAVAILABLE.test(code) : NETWORK.test(code) || DRIVER.test(error.message);
  return isUnavailable ? new DatabaseUnavailableError(options) : error;
}

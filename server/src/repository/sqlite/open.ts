import { statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sleepSync } from "@rollcall/shared/sleep-sync";
import { DatabaseOpenError, type OpenNotices } from "../database-open.ts";
import type { EqualEmails } from "../search-keys.ts";
import { createFile } from "./create-file.ts";
import { isBusy, isCorrupt, isFolderReadOnly } from "./errors.ts";
import { describeOpenFile, describeOpenFolder } from "./file-access.ts";
import { findDamage } from "./find-damage.ts";
import { sqliteMigrations } from "./migrations.ts";
import { APPLICATION_ID, inspectFile, pragma, recognise } from "./recognise-sqlite.ts";
import { areSearchKeysCurrent, refreshSearchKeys } from "./refresh-search-keys.ts";
import { addWordFunctions } from "./stored-words.ts";

/** Oldest SQLite with the features that a durable server needs: STRICT tables, RETURNING, and the fixes of the WAL. */
const MIN_SQLITE_VERSION = [3, 51, 0] as const;
/** Size to which the log (WAL) is cut after a reader has let it grow, in bytes. SQLite restarts it at some 4 MiB. */
const JOURNAL_SIZE_LIMIT = 16 * 1024 ** 2;
const DEFAULT_LOCK_TIMEOUT_MS = 10_000;
const LOCK_RETRY_MS = 20;
/** Number of users above which a change of the schema is logged, since it takes more than a second. */
const NOTICED_USERS = 50_000;
/** How long to wait for a lock before that is logged, in milliseconds. */
const QUIET_WAIT_MS = 1_000;

export interface OpenSqliteOptions extends OpenNotices {
  /** How long to wait for another process that has the database locked, in milliseconds. Default 10 s. */
  lockTimeoutMs?: number | undefined;
}

/**
 * Opens a database file, or ":memory:". Creates a missing file and its folder, readable by the owner alone. Brings the
 * schema up to date, and checks that the database is sound and durable. Blocks the thread while another process has it
 * locked.
 *
 * @throws DatabaseOpenError when the file can't be used, is another program's, or was made by a newer Rollcall.
 */
export function openSqlite(path: string, options: OpenSqliteOptions = {}): DatabaseSync {
  const { lockTimeoutMs = DEFAULT_LOCK_TIMEOUT_MS, onNotice } = options;
  if (path !== ":memory:") createFile(path);
  const startedAtMs = performance.now();
  for (let hasNoticed = false; ; ) {
    try {
      const database = tryOpen(path, options);
      const openAccess = path === ":memory:" ? [] : [describeOpenFolder(dirname(path)), describeOpenFile(path)];
      for (const message of openAccess) if (message) onNotice?.({ level: "warn", message });
      return database;
    } catch (error) {
      const waitedMs = performance.now() - startedAtMs;
      if (!isBusy(error) || waitedMs >= lockTimeoutMs) throw explainFault(path, error, waitedMs);
      if (!hasNoticed && waitedMs > QUIET_WAIT_MS) {
        hasNoticed = true;
        onNotice?.({ level: "warn", message: `waiting for another process that has ${path} locked` });
      }
    }
    sleepSync(LOCK_RETRY_MS);
  }
}

function tryOpen(path: string, { onEqualEmails, onNotice }: OpenSqliteOptions): DatabaseSync {
  if (path !== ":memory:") inspectFile(path);
  const database = new DatabaseSync(path);
  try {
    configure(database, path);
    const equalEmails = isCurrent(database) ? undefined : migrate(database, path, onNotice);
    const damage = path === ":memory:" ? undefined : findDamage(database, statSync(path).size);
    if (damage) throw new DatabaseOpenError(`${path} is damaged (${damage}); put a backup in its place`);
    if (equalEmails?.count) onEqualEmails?.(equalEmails);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Returns the error of a database that can't be opened, with the reason and the remedy. */
export function explainFault(path: string, error: unknown, waitedMs: number): unknown {
  if (error instanceof DatabaseOpenError || !(error instanceof Error)) return error;
  const words = () => {
    if (isBusy(error)) {
      const seconds = Math.round(waitedMs / 1_000);
      return `has been locked by another process for ${seconds} s; end that process, or what it does, and start again`;
    }
    if (isCorrupt(error)) return `is damaged, or not a database (${error.message}); put a backup in its place`;
    if (isFolderReadOnly(error)) {
      return `can't be written: give this user permission to write in ${dirname(path)}, where SQLite keeps its log`;
    }
    return `can't be opened (${error.message})`;
  };
  return new DatabaseOpenError(`${path} ${words()}`, { cause: error });
}

/**
 * Applies the settings that durability depends on, and asserts that SQLite accepted them. SQLite silently ignores a
 * PRAGMA that it can't follow.
 */
function configure(database: DatabaseSync, path: string): void {
  const version = String(database.prepare("SELECT sqlite_version() AS version").get()?.version);
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  const [minMajor, minMinor, minPatch] = MIN_SQLITE_VERSION;
  if ((major - minMajor || minor - minMinor || patch - minPatch) < 0) {
    throw new Error(`SQLite ${MIN_SQLITE_VERSION.join(".")} or newer is needed; this is ${version}`);
  }
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec(`PRAGMA journal_size_limit = ${JOURNAL_SIZE_LIMIT}`);
  const expected = {
    journal_mode: path === ":memory:" ? "memory" : "wal",
    synchronous: 2,
    // SQLite must not wait, since that would block the event loop: `GroupCommit` and `openSqlite` wait by themselves.
    busy_timeout: 0,
    journal_size_limit: JOURNAL_SIZE_LIMIT,
  };
  for (const [name, value] of Object.entries(expected)) {
    const actual = pragma(database, name);
    if (actual !== value) throw new Error(`PRAGMA ${name} is ${actual}; ${value} is needed`);
  }
}

/**
 * Returns whether there is nothing to write. If so, the database can be opened even while another process has it
 * locked.
 */
export function isCurrent(database: DatabaseSync): boolean {
  return (
    pragma(database, "application_id") === APPLICATION_ID &&
    pragma(database, "user_version") === sqliteMigrations.length &&
    areSearchKeysCurrent(database)
  );
}

function migrate(database: DatabaseSync, path: string, onNotice: OpenSqliteOptions["onNotice"]): EqualEmails {
  database.exec("BEGIN IMMEDIATE");
  try {
    // Another process may have changed the file since the first check.
    recognise(database, path);
    const startedAtMs = performance.now();
    const users = countUsers(database);
    if (users >= NOTICED_USERS) {
      onNotice?.({
        level: "info",
        message: `bringing ${path} up to date, with ${users} users: some 15 s for a million`,
      });
    }
    addWordFunctions(database);
    for (const step of sqliteMigrations.slice(Number(pragma(database, "user_version")))) database.exec(step);
    const equalEmails = refreshSearchKeys(database);
    database.exec(`
      PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${sqliteMigrations.length};
      COMMIT`);
    // All of it went through the log file, which would keep that size. Another process may still be reading it.
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    if (users >= NOTICED_USERS) {
      const seconds = Math.round((performance.now() - startedAtMs) / 1_000);
      onNotice?.({ level: "info", message: `${path} is up to date, after ${seconds} s` });
    }
    return equalEmails;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function countUsers(database: DatabaseSync): number {
  if (pragma(database, "user_version") === 0) return 0;
  return Number(database.prepare("SELECT count(*) AS count FROM users").get()?.count);
}

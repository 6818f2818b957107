import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sqliteMigrations } from "./migrations/sqlite.ts";
import { type EqualEmails, refreshSearchKeys } from "./refresh-search-keys.ts";

/** How long a statement waits for another process; the event loop waits with it, so `GroupCommit` does the long waits. */
const BUSY_TIMEOUT_MS = 5;
/** STRICT tables, RETURNING and the WAL fixes that a durable server wants. */
const MIN_SQLITE_VERSION = [3, 51, 0] as const;

export interface OpenSqliteOptions {
  /** Called when users keep an old key of their e-mail, since older users' e-mails have become equal to theirs. */
  onEqualEmails?: ((emails: EqualEmails) => void) | undefined;
}

/**
 * Opens a database file, made with its folder when missing, or ":memory:"; brings
 * its schema up to date and checks that it is durable.
 *
 * @throws Error when the file can't be used, or a newer Rollcall made it.
 */
export function openSqlite(path: string, { onEqualEmails }: OpenSqliteOptions = {}): DatabaseSync {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    configure(database, path);
    const equalEmails = migrate(database);
    if (equalEmails.count > 0) onEqualEmails?.(equalEmails);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function pragma(database: DatabaseSync, name: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

/** Sets what durability rests on, and asserts that SQLite took it: it ignores a PRAGMA that it can't follow. */
function configure(database: DatabaseSync, path: string): void {
  const version = String(database.prepare("SELECT sqlite_version() AS version").get()?.version);
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  const [minMajor, minMinor, minPatch] = MIN_SQLITE_VERSION;
  if ((major - minMajor || minor - minMinor || patch - minPatch) < 0) {
    throw new Error(`SQLite ${MIN_SQLITE_VERSION.join(".")} or newer is needed; this is ${version}`);
  }
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  const expected = {
    journal_mode: path === ":memory:" ? "memory" : "wal",
    synchronous: 2,
    busy_timeout: BUSY_TIMEOUT_MS,
  };
  for (const [name, value] of Object.entries(expected)) {
    const actual = pragma(database, name);
    if (actual !== value) throw new Error(`PRAGMA ${name} is ${actual}; ${value} is needed`);
  }
}

function migrate(database: DatabaseSync): EqualEmails {
  database.exec("BEGIN IMMEDIATE");
  try {
    const applied = Number(pragma(database, "user_version"));
    if (applied > sqliteMigrations.length) throw new Error("the database was made by a newer version of Rollcall");
    for (const step of sqliteMigrations.slice(applied)) database.exec(step);
    const equalEmails = refreshSearchKeys(database);
    database.exec(`PRAGMA user_version = ${sqliteMigrations.length}; COMMIT`);
    return equalEmails;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

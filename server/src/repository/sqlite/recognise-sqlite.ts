import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { DatabaseOpenError } from "../database-open.ts";
import { sqliteMigrations } from "./migrations.ts";

/** "Roll": marks a database file as Rollcall's (https://sqlite.org/fileformat.html#application_id). */
export const APPLICATION_ID = 0x526f6c6c;
/** Last schema version that was released without an application id. */
const LAST_VERSION_WITHOUT_ID = 2;
const FIRST_TABLES = ["create_requests", "secrets", "users"];

/** Reads a PRAGMA of one value. */
export function pragma(database: DatabaseSync, name: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

/**
 * Inspects a database file without changing it or its side files. Simply opening and closing it would change the
 * journal of another program's database.
 *
 * The first attempt ignores changes that are only in the log, and takes no lock. It is enough for any file that was
 * closed properly. If an attempt fails, the real opening reports the reason.
 *
 * @throws DatabaseOpenError when the file is another program's, or a newer Rollcall's.
 */
export function inspectFile(path: string): void {
  for (const query of ["immutable=1", "mode=ro"]) {
    const url = pathToFileURL(path);
    url.search = query;
    try {
      using database = new DatabaseSync(url, { readOnly: true });
      // All is read at one moment: another process may be creating this database.
      database.exec("BEGIN");
      recognise(database, path);
    } catch (error) {
      if (error instanceof DatabaseOpenError) throw error;
    }
  }
}

/**
 * Accepts an empty database, and a database of Rollcall's. It reads several times, so the caller begins a transaction.
 *
 * @throws DatabaseOpenError when the file is another program's, or a newer Rollcall's.
 */
export function recognise(database: DatabaseSync, path: string): void {
  const id = Number(pragma(database, "application_id"));
  const version = Number(pragma(database, "user_version"));
  const isOurs = id === APPLICATION_ID || (id === 0 && isEmptyOrEarly(database, version));
  if (!isOurs) {
    throw new DatabaseOpenError(`${path} is another program's database; set DATABASE_URL to a file of Rollcall's own`);
  }
  if (version > sqliteMigrations.length) {
    throw new DatabaseOpenError(
      `${path} was made by a newer version of Rollcall (schema ${version}, this one knows ${sqliteMigrations.length}); ` +
        "start that version",
    );
  }
}

/** Returns whether a database without an application id is empty, or of a version that set none. */
function isEmptyOrEarly(database: DatabaseSync, version: number): boolean {
  const names = database
    .prepare("SELECT name FROM sqlite_schema")
    .all()
    .map(({ name }) => name);
  if (version === 0) return names.length === 0;
  return version <= LAST_VERSION_WITHOUT_ID && FIRST_TABLES.every((table) => names.includes(table));
}

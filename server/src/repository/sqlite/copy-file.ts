import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { DatabaseOpenError } from "../database-open.ts";
import { isBusy, isCorrupt } from "./errors.ts";
import { FIRST_VERSION_WITH_CHANGES, renewChangeEpoch, sqliteMigrations } from "./migrations.ts";
import { APPLICATION_ID, inspectFile, pragma, recognise } from "./recognise-sqlite.ts";

/** Pages that one step copies: 4 MiB, in some milliseconds. Ctrl-C and the progress wait for a step. */
const PAGES_AT_ONCE = 1_024;
/** Files that SQLite may keep beside a database. */
const SIDE_FILES = ["-wal", "-shm", "-journal"];

export interface CopyFileOptions {
  /** Database to copy. A server may be writing to it. */
  readonly from: string;
  /** File to make. It must not exist, unless it is empty. */
  readonly to: string;
  /**
   * Whether the copy will be served from now on, like a restored backup. Its log of changes then gets a new epoch,
   * since the database that it replaces may have gone on after the backup.
   */
  readonly begins?: boolean;
  /** Aborted to stop; nothing is then left behind. */
  readonly signal: AbortSignal;
  /** Called as bytes are copied. */
  onProgress(doneBytes: number, totalBytes: number): void;
  /** Called when everything is copied, before the copy is read back. */
  onCheck(): void;
}

export interface CopiedFile {
  readonly users: number;
  readonly bytes: number;
}

/** Properties that a copy must have in common with its source. */
interface Facts {
  readonly schemaVersion: number;
  readonly users: number;
  readonly createRequests: number;
  readonly changes: number;
  readonly pageTokenKey: string;
}

/**
 * Copies a database of Rollcall's as it is at one moment, reads the copy back, and only then gives it its name. A
 * server may go on writing; its log (WAL) grows until the copy is complete. The file is readable by its owner alone,
 * and is on disk when this resolves.
 *
 * SQLite's online backup copies the pages. It begins again whenever another process has written, so beside a busy
 * server it would never end. A read transaction on the source prevents that, since it keeps the source at one state.
 *
 * @throws DatabaseOpenError when the source is not a sound database of this version, or the target is in use.
 */
export async function copySqliteFile(options: CopyFileOptions): Promise<CopiedFile> {
  const { from, to, signal } = options;
  if (!existsSync(from)) throw new DatabaseOpenError(`${from} does not exist`);
  inspectFile(from);
  const partial = `${to}.partial`;
  try {
    prepareTarget(to, partial);
    const facts = await copyPages(partial, options);
    signal.throwIfAborted();
    options.onCheck();
    assertSound(partial, from, facts);
    if (options.begins && facts.schemaVersion >= FIRST_VERSION_WITH_CHANGES) renewEpoch(partial);
    sync(partial);
    publish(partial, to);
    return { users: facts.users, bytes: statSync(to).size };
  } catch (error) {
    throw explain(error, from, to);
  } finally {
    remove(partial);
  }
}

/** @throws DatabaseOpenError when the target has files that a copy would replace or be mixed up with. */
function prepareTarget(to: string, partial: string): void {
  const stats = statSync(to, { throwIfNoEntry: false });
  const isTaken = stats !== undefined && (!stats.isFile() || stats.size > 0);
  // A log may hold acknowledged writes, so it has to stay with its database.
  const rest = SIDE_FILES.map((suffix) => to + suffix).filter((path) => existsSync(path));
  const [first, ...others] = isTaken ? [to, ...rest] : rest;
  if (first !== undefined) {
    const what = others.length > 0 ? `${[first, ...others].join(", ")} exist: move them` : `${first} exists: move it`;
    throw new DatabaseOpenError(`${what} away, or name another place`);
  }
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  remove(partial);
  // SQLite itself would create a file that everybody can read.
  closeSync(openSync(partial, "wx", 0o600));
}

async function copyPages(partial: string, { from, signal, onProgress }: CopyFileOptions): Promise<Facts> {
  using source = new DatabaseSync(from, { readOnly: true });
  source.exec("BEGIN");
  // The first read begins the transaction.
  recognise(source, from);
  const facts = readFacts(source, from);
  const pageBytes = Number(pragma(source, "page_size"));
  const pages = await backup(source, partial, {
    rate: PAGES_AT_ONCE,
    progress: ({ totalPages, remainingPages }) => {
      signal.throwIfAborted();
      onProgress((totalPages - remainingPages) * pageBytes, totalPages * pageBytes);
    },
  });
  // SQLite reports no progress after its last step, so none at all of a copy in one step.
  if (pages > PAGES_AT_ONCE) onProgress(pages * pageBytes, pages * pageBytes);
  return facts;
}

/** @throws DatabaseOpenError when the database is empty. */
function readFacts(database: DatabaseSync, path: string): Facts {
  const schemaVersion = Number(pragma(database, "user_version"));
  if (schemaVersion === 0) throw new DatabaseOpenError(`${path} is empty, not a database of Rollcall's`);
  const count = (table: string) => Number(database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.count);
  const key = database.prepare("SELECT value FROM secrets WHERE name = 'page_token_key'").get()?.value;
  return {
    schemaVersion,
    users: count("users"),
    createRequests: count("create_requests"),
    changes: schemaVersion >= FIRST_VERSION_WITH_CHANGES ? count("changes") : 0,
    pageTokenKey: Buffer.from(key as Uint8Array).toString("hex"),
  };
}

/** Reads the copy back, from its pages to its counts. Ends WAL mode, so that the copy is a single file. */
function assertSound(partial: string, from: string, expected: Facts): void {
  using copy = new DatabaseSync(partial);
  copy.exec("PRAGMA journal_mode = DELETE");
  const damage = String(pragma(copy, "integrity_check(1)"));
  if (damage !== "ok") throw new DatabaseOpenError(`${from} is damaged (${damage}); the copy was dropped`);
  const id = Number(pragma(copy, "application_id"));
  // The first versions of the schema had no id.
  if (id !== APPLICATION_ID && expected.schemaVersion === sqliteMigrations.length) {
    throw new DatabaseOpenError(`the copy of ${from} is not marked as Rollcall's`);
  }
  if (JSON.stringify(readFacts(copy, partial)) !== JSON.stringify(expected)) {
    throw new DatabaseOpenError(`the copy of ${from} differs from it; the copy was dropped`);
  }
}

function renewEpoch(partial: string): void {
  using copy = new DatabaseSync(partial);
  copy.exec(renewChangeEpoch);
}

/** Gives the file its name, unless another file has got that name meanwhile. */
function publish(partial: string, to: string): void {
  if (statSync(to, { throwIfNoEntry: false })?.size === 0) rmSync(to);
  linkSync(partial, to);
  rmSync(partial);
  if (process.platform !== "win32") sync(dirname(to));
}

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Removes a partial copy, and a journal that would otherwise be applied to the next one. */
function remove(partial: string): void {
  for (const suffix of ["", ...SIDE_FILES]) rmSync(partial + suffix, { force: true });
}

function explain(error: unknown, from: string, to: string): unknown {
  if (error instanceof DatabaseOpenError || !(error instanceof Error)) return error;
  if (isBusy(error)) return new DatabaseOpenError(`${from} is locked by another process`, { cause: error });
  if (isCorrupt(error)) {
    return new DatabaseOpenError(`${from} is damaged, or not a database (${error.message})`, { cause: error });
  }
  if (error.name === "AbortError") return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EEXIST") return new DatabaseOpenError(`${to} exists by now`, { cause: error });
  return new DatabaseOpenError(`${from} can't be copied to ${to} (${error.message})`, { cause: error });
}

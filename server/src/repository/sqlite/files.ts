import { type BigIntStats, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { isCorrupt } from "./errors.ts";
import { findDamage } from "./find-damage.ts";

/** Smallest page of SQLite, in bytes. A shorter file was cut. */
const MIN_FILE_BYTES = 512n;
/** Files that SQLite keeps beside the database: its log, and the index and locks of the log. */
const SIDE_FILES = ["-wal", "-shm"];
/** Time between two attempts to recreate removed side files, in milliseconds. */
const RENEW_RETRY_MS = 1_000;

const REMOVED = "was removed or renamed";

/** Fault of the files, in words for the log. */
export interface FileProblem {
  /** A damaged database stays damaged; a missing one may come back. */
  readonly kind: "missing" | "corrupt";
  readonly message: string;
}

/**
 * Compares the files of an open database with those at its paths. SQLite keeps its files open, and goes on using them
 * when they are removed, renamed or replaced. Everything that it then writes is lost when the process ends. While it
 * has the files open, no other file can get their inode numbers.
 *
 * Never opens a file itself: closing it would release SQLite's locks on it
 * (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
 */
export class SqliteFiles {
  readonly #database: DatabaseSync;
  /** Path as configured, which the next start will use. */
  readonly #path: string;
  /** Path without symbolic links, where SQLite has its side files. */
  readonly #location: string;
  readonly #onRenewed: (message: string) => void;
  readonly #main: BigIntStats;
  #side: readonly BigIntStats[];
  /** State of the main file when it was last read or found intact. */
  #seen: { readonly mtimeNs: bigint; readonly size: bigint };
  #renewFailedAtMs = -RENEW_RETRY_MS;

  /**
   * @param database A database in WAL mode that has been read from.
   * @param onRenewed Called when removed side files were recreated, with words for the log.
   * @throws Error when a file is already gone.
   */
  constructor(database: DatabaseSync, path: string, onRenewed: (message: string) => void) {
    this.#database = database;
    this.#path = path;
    this.#location = database.location() ?? path;
    this.#onRenewed = onRenewed;
    this.#main = statSync(path, { bigint: true });
    this.#seen = this.#main;
    this.#side = this.#statSide();
  }

  /** Size of the log as last seen, in bytes. */
  get logBytes(): number {
    return Number(this.#side[0]?.size ?? 0n);
  }

  /**
   * Compares the files and returns the fault, if there is one. Takes some 5 microseconds. Must not be called within a
   * transaction.
   */
  check(): FileProblem | undefined {
    const main = stat(this.#path);
    if (typeof main === "string") return missing(this.#path, main);
    if (!isSame(main, this.#main)) return missing(this.#path, "was replaced by another file");
    if (main.size < MIN_FILE_BYTES) return { kind: "corrupt", message: `${this.#path} was cut to ${main.size} bytes` };
    const problem = this.#checkSide();
    if (problem || main.mtimeNs === this.#seen.mtimeNs) return problem;
    // The file was changed, either by a checkpoint or by a program that overwrites it.
    const hasShrunk = main.size < this.#seen.size;
    this.#seen = main;
    return this.#readAgain(hasShrunk);
  }

  /**
   * Reads the file itself instead of the open database's cache: its first pages or, if it has shrunk, all of it. A file
   * that has shrunk was truncated, unless another process has vacuumed it.
   */
  #readAgain(hasShrunk: boolean): FileProblem | undefined {
    try {
      using database = new DatabaseSync(this.#location, { readOnly: true });
      database.prepare("SELECT 1 FROM users LIMIT 1").get();
      const damage = hasShrunk ? findDamage(database, Number(this.#seen.size)) : undefined;
      return damage === undefined ? undefined : this.#overwritten(damage);
    } catch (error) {
      // Any other error, such as too many open files, says nothing about the file's contents.
      return isCorrupt(error) ? this.#overwritten((error as Error).message) : undefined;
    }
  }

  #overwritten(damage: string): FileProblem {
    return { kind: "corrupt", message: `${this.#path} was overwritten or cut (${damage})` };
  }

  #checkSide(): FileProblem | undefined {
    const found: BigIntStats[] = [];
    for (const [index, suffix] of SIDE_FILES.entries()) {
      const path = this.#location + suffix;
      const side = stat(path);
      if (side === REMOVED) return this.#renewSide(path);
      if (typeof side === "string") return missing(path, side);
      if (!isSame(side, this.#side[index])) return missing(path, "was replaced by another file");
      found.push(side);
    }
    this.#side = found;
    return undefined;
  }

  /**
   * Recreates the side files. When SQLite leaves WAL mode, it moves everything in the open log into the database. That
   * works only if no other process has the database open. If one has, as much as possible is moved, and the files stay
   * as they are.
   */
  #renewSide(removed: string): FileProblem | undefined {
    const problem = missing(removed, "was removed; close other programs that have the database open");
    if (performance.now() - this.#renewFailedAtMs < RENEW_RETRY_MS) return problem;
    try {
      this.#database.exec("PRAGMA wal_checkpoint; PRAGMA journal_mode = DELETE; PRAGMA journal_mode = WAL");
      // This read opens the new side files.
      this.#database.prepare("SELECT 1 FROM users LIMIT 1").get();
      this.#side = this.#statSide();
    } catch {
      this.#renewFailedAtMs = performance.now();
      return problem;
    }
    this.#onRenewed(`${removed} was removed; what it held is saved in the database, and it was made anew`);
    return undefined;
  }

  #statSide(): BigIntStats[] {
    return SIDE_FILES.map((suffix) => statSync(this.#location + suffix, { bigint: true }));
  }
}

/** Returns the file's status or, as text, the reason why it can't be read. */
function stat(path: string): BigIntStats | string {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? REMOVED;
  } catch (error) {
    return `can't be looked at (${(error as NodeJS.ErrnoException).code ?? "unknown"})`;
  }
}

function isSame(a: BigIntStats, b: BigIntStats | undefined): boolean {
  return a.ino === b?.ino && a.dev === b.dev;
}

function missing(path: string, what: string): FileProblem {
  return { kind: "missing", message: `${path} ${what}` };
}

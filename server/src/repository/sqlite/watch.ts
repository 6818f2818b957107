import type { DatabaseSync } from "node:sqlite";
import { DatabaseCorruptError, DatabaseMissingError } from "../../domain/errors.ts";
import type { DatabaseNotice } from "../database-open.ts";
import { isCorrupt, toDomainError } from "./errors.ts";
import { type FileProblem, SqliteFiles } from "./files.ts";

const CHECK_INTERVAL_MS = 1_000;
/**
 * Size above which the log file is reported, in bytes. It grows while another process reads an old state of the
 * database.
 */
const LARGE_LOG_BYTES = 64 * 1024 ** 2;

/** Advice for each fault, in words for the log. */
const HELP: Readonly<Record<FileProblem["kind"], string>> = {
  missing: "put the file back, or start again to use what is there",
  corrupt: "stop the server, put a backup in its place and start again",
};

export interface SqliteWatchOptions {
  readonly database: DatabaseSync;
  /** The database's file, or ":memory:". */
  readonly path: string;
  readonly onNotice?: ((notice: DatabaseNotice) => void) | undefined;
}

/**
 * Watches whether an open database is still the one at its path, and sound. Checks once a second and on request. While
 * the answer is no, nothing is read or written. A missing database is served again when its own file comes back; a
 * damaged one needs a restart. Each change is logged in one line, rather than each call.
 */
export class SqliteWatch {
  readonly #path: string;
  /** Undefined for a database in memory, and for one that was closed. */
  #files: SqliteFiles | undefined;
  readonly #onNotice: (notice: DatabaseNotice) => void;
  readonly #timer: NodeJS.Timeout | undefined;
  #problem: FileProblem | undefined;
  #hasLargeLog = false;

  constructor({ database, path, onNotice = () => {} }: SqliteWatchOptions) {
    this.#path = path;
    this.#onNotice = onNotice;
    if (path === ":memory:") return;
    this.#files = new SqliteFiles(database, path, (message) => onNotice({ level: "warn", message }));
    this.#timer = setInterval(() => this.#look(), CHECK_INTERVAL_MS).unref();
  }

  /**
   * Throws if the last check found a fault.
   *
   * @throws DatabaseMissingError | DatabaseCorruptError
   */
  assertUsable(): void {
    if (this.#problem) throw this.#problem.kind === "corrupt" ? new DatabaseCorruptError() : new DatabaseMissingError();
  }

  /**
   * Checks the files now.
   *
   * @throws DatabaseMissingError | DatabaseCorruptError
   */
  check(): void {
    this.#look();
    this.assertUsable();
  }

  /** Returns the error to throw in place of one of SQLite's, and remembers damage that it reports. */
  explain(error: unknown): unknown {
    if (!isCorrupt(error)) return toDomainError(error);
    this.#change({ kind: "corrupt", message: `${this.#path} is damaged (${(error as Error).message})` });
    return new DatabaseCorruptError();
  }

  /** Stops checking. */
  close(): void {
    this.#files = undefined;
    clearInterval(this.#timer);
  }

  #look(): void {
    if (!this.#files || this.#problem?.kind === "corrupt") return;
    this.#change(this.#files.check());
    this.#watchLog(this.#files.logBytes);
  }

  #change(problem: FileProblem | undefined): void {
    if (this.#problem?.kind === "corrupt" || problem?.message === this.#problem?.message) return;
    this.#problem = problem;
    this.#onNotice(
      problem
        ? { level: "error", message: `${problem.message}: nothing is read or written; ${HELP[problem.kind]}` }
        : { level: "info", message: `${this.#path} is back; it is served again` },
    );
  }

  #watchLog(bytes: number): void {
    const isLarge = bytes > LARGE_LOG_BYTES;
    if (isLarge === this.#hasLargeLog) return;
    this.#hasLargeLog = isLarge;
    const log = `${this.#path}-wal has ${Math.round(bytes / 1024 ** 2)} MiB`;
    this.#onNotice(
      isLarge
        ? { level: "warn", message: `${log}: another process has been reading the database for a long time` }
        : { level: "info", message: `${log} again` },
    );
  }
}

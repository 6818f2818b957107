import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { type SharedPostgres, sharedPostgres } from "@rollcall/testing/shared-postgres";
import { type PostgresServer, startPostgres } from "@rollcall/testing/start-postgres";
import { openPostgresUserRepository } from "../../../src/repository/postgres/user-repository.ts";
import { openSqliteUserRepository } from "../../../src/repository/sqlite/user-repository.ts";
import type { UserRepository } from "../../../src/repository/user-repository.ts";
import { addressOf } from "../../support/address-of.ts";

/** Time limit of a call where no fault is expected. */
const PATIENCE_MS = 60_000;

/** Database of one test. Its disposal removes it. */
export interface TestDatabase extends AsyncDisposable {
  /** Settings of a server process that uses it. */
  readonly env: Readonly<Record<string, string>>;
  /** Opens it in the test's process. */
  openRepository(): Promise<UserRepository>;
  /** Checks the whole database with its own tools, and returns the faults. */
  findFaults(): Promise<string[]>;
}

/** Database on its own server, which nobody else uses. */
export interface OwnDatabase extends TestDatabase {
  /**
   * Writes, or tries to write, to the data files what is only in the log. Otherwise a failing data disk is noticed
   * late.
   */
  checkpoint(): Promise<void>;
  /** Starts the database's server if it has stopped. Returns whether it had. */
  revive(): Promise<boolean>;
  /** Waits until the server accepts connections. After a crash, PostgreSQL first reads and flushes all its files. */
  untilServing(): Promise<void>;
}

export interface StartOptions {
  /** Further environment of the processes that write its files. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Databases for which every promise of this folder holds: one parameter of each test. */
export interface DatabaseKind {
  readonly name: string;
  /** Parts of the paths of the database's files, by the purpose of the files. */
  readonly places: Readonly<Record<string, string>>;
  /** Creates an empty database, with its own server if it needs one. */
  start(options?: StartOptions): Promise<OwnDatabase>;
  /** Creates an empty database on a shared server. */
  share(): Promise<TestDatabase>;
}

export const sqlite: DatabaseKind = {
  name: "SQLite",
  places: { all: "users.db" },
  start: startSqlite,
  share: startSqlite,
};

async function startSqlite({ env }: StartOptions = {}): Promise<OwnDatabase> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-"));
  const path = join(folder, "users.db");
  return {
    env: { DATABASE_URL: `sqlite:${path}`, ...env },
    openRepository: async () => openSqliteUserRepository({ path }),
    findFaults: async () => findSqliteFaults(path),
    // The log is in the same place.
    checkpoint: async () => {},
    revive: async () => false,
    untilServing: async () => {},
    [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true }),
  };
}

export interface PostgresDatabase extends OwnDatabase {
  readonly postgres: PostgresServer;
  /** Opens the database in the test's process, by default at its own port. */
  openRepository(port?: number): Promise<UserRepository>;
}

export const postgresql = {
  name: "PostgreSQL",
  places: { data: "/data/base/", log: "/data/pg_wal/" },
  async start(options?: StartOptions): Promise<PostgresDatabase> {
    const postgres = await startPostgres(options);
    return {
      ...(await makeSchema(postgres)),
      postgres,
      async checkpoint() {
        await postgres.query("CHECKPOINT").catch(() => {});
      },
      async revive() {
        if (postgres.pid !== undefined) return false;
        await postgres.start();
        return true;
      },
      async untilServing() {
        const serves = () =>
          postgres.query("SELECT 1").then(
            () => true,
            () => false,
          );
        while (!(await serves())) await delay(50);
      },
      [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
    };
  },
  async share() {
    const database = await makeSchema(await sharedPostgres());
    // This database is never taken away, but on a busy machine a call may wait for longer than a second.
    return { ...database, env: { ...database.env, DATABASE_TIMEOUT_MS: String(PATIENCE_MS) } };
  },
} satisfies DatabaseKind;

async function makeSchema(postgres: SharedPostgres): Promise<Pick<PostgresDatabase, keyof TestDatabase>> {
  const url = await postgres.createSchema();
  return {
    env: { DATABASE_URL: url },
    openRepository: (port) =>
      openPostgresUserRepository({ address: { ...addressOf(url), ...(port && { port }) }, timeoutMs: PATIENCE_MS }),
    findFaults: () => findPostgresFaults(postgres, url),
    [Symbol.asyncDispose]: async () => {},
  };
}

export const databases: readonly DatabaseKind[] = [sqlite, postgresql];

function findSqliteFaults(path: string): string[] {
  using database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  const rows = database
    .prepare("PRAGMA integrity_check")
    .all()
    .map((row) => String(row.integrity_check));
  return rows.filter((row) => row !== "ok");
}

/**
 * Compares each index with its table, the tables' rows with the rows that indexes point to, and the search words in the
 * users' column with those in the table of words.
 */
export async function findPostgresFaults(postgres: SharedPostgres, url: string): Promise<string[]> {
  const stored = "SELECT word, id FROM users, unnest(string_to_array(substr(words, 2), ' ')) AS word";
  const indexed = "SELECT word, user_id FROM user_words";
  const rows = await postgres.query(
    `
    SELECT 'a word too few: ' || word AS fault FROM (${stored} EXCEPT ${indexed}) AS lost UNION ALL
    SELECT 'a word too many: ' || word FROM (${indexed} EXCEPT ${stored}) AS left_over UNION ALL
    SELECT 'an invalid index: ' || indexrelid::regclass FROM pg_index WHERE NOT indisvalid`,
    url,
  );
  const { username: schema } = new URL(url);
  await postgres.query("CREATE EXTENSION IF NOT EXISTS amcheck");
  // The check throws at the first fault.
  const check = `
    SELECT bt_index_check(indexrelid, heapallindexed => true, checkunique => true)
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
    WHERE amname = 'btree' AND relnamespace = '${schema}'::regnamespace`;
  const damages = await postgres.query(check).then(
    () => [],
    (error) => [String(error)],
  );
  const heaps = await postgres.query(`
    SELECT relname || ': ' || msg AS fault FROM pg_class, verify_heapam(oid)
    WHERE relkind = 'r' AND relnamespace = '${schema}'::regnamespace`);
  return [...rows, ...heaps].map(({ fault }) => String(fault)).concat(damages);
}

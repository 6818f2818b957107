import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { startPostgres } from "@rollcall/testing/start-postgres";
import { openPostgresUserRepository } from "../../../src/repository/postgres/user-repository.ts";
import { openSqliteUserRepository } from "../../../src/repository/sqlite/user-repository.ts";
import type { UserRepository } from "../../../src/repository/user-repository.ts";
import { addressOf } from "../../support/address-of.ts";

/** A database of one test. Its disposal removes it. */
export interface TestDatabase extends AsyncDisposable {
  /** Settings of a server process that uses it. */
  readonly env: Readonly<Record<string, string>>;
  /** Opens it in the test's process. */
  openRepository(): Promise<UserRepository>;
  /** Looks through all of it with the database's own means, and returns what is wrong. */
  findFaults(): Promise<string[]>;
}

/** The databases that every promise of this folder holds for: one parameter of each test. */
export interface DatabaseKind {
  readonly name: string;
  /** Makes an empty database. */
  start(): Promise<TestDatabase>;
}

const sqlite: DatabaseKind = {
  name: "SQLite",
  async start() {
    const folder = mkdtempSync(join(tmpdir(), "rollcall-"));
    const path = join(folder, "users.db");
    return {
      env: { DATABASE_URL: `sqlite:${path}` },
      openRepository: async () => openSqliteUserRepository({ path }),
      findFaults: async () => findSqliteFaults(path),
      [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true }),
    };
  },
};

const postgresql: DatabaseKind = {
  name: "PostgreSQL",
  async start() {
    const postgres = await startPostgres();
    const url = await postgres.createSchema();
    return {
      env: { DATABASE_URL: url },
      // A busy machine may keep a call waiting for longer than a second.
      openRepository: () => openPostgresUserRepository({ address: addressOf(url), timeoutMs: 60_000 }),
      findFaults: () => findPostgresFaults((sql) => postgres.query(sql, url)),
      [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
    };
  },
};

export const databases: readonly DatabaseKind[] = [sqlite, postgresql];

function findSqliteFaults(path: string): string[] {
  using database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  const rows = database
    .prepare("PRAGMA integrity_check")
    .all()
    .map((row) => String(row.integrity_check));
  return rows.filter((row) => row !== "ok");
}

/** Compares the words of users, by their column, with those of the index. */
async function findPostgresFaults(query: (sql: string) => Promise<Record<string, unknown>[]>): Promise<string[]> {
  const stored = "SELECT word, id FROM users, unnest(string_to_array(substr(words, 2), ' ')) AS word";
  const indexed = "SELECT word, user_id FROM user_words";
  const rows = await query(`
    SELECT 'a word too few: ' || word AS fault FROM (${stored} EXCEPT ${indexed}) AS lost UNION ALL
    SELECT 'a word too many: ' || word FROM (${indexed} EXCEPT ${stored}) AS left_over UNION ALL
    SELECT 'an invalid index: ' || indexrelid::regclass FROM pg_index WHERE NOT indisvalid`);
  return rows.map(({ fault }) => String(fault));
}

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteUserRepository } from "../../../src/repository/sqlite/user-repository.ts";
import type { UserRepository } from "../../../src/repository/user-repository.ts";

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

export const databases: readonly DatabaseKind[] = [sqlite];

function findSqliteFaults(path: string): string[] {
  using database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  const rows = database
    .prepare("PRAGMA integrity_check")
    .all()
    .map((row) => String(row.integrity_check));
  return rows.filter((row) => row !== "ok");
}

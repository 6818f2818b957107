import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, test } from "vitest";
import { describeUserRepository } from "../user-repository.contract.ts";
import { APPLICATION_ID } from "./recognise-sqlite.ts";
import { openSqliteUserRepository } from "./user-repository.ts";

const folder = mkdtempSync(join(tmpdir(), "rollcall-"));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
function newPath(): string {
  count += 1;
  return join(folder, `${count}.db`);
}

function open(path: string) {
  const users = openSqliteUserRepository({ path });
  return Object.assign(users, { [Symbol.asyncDispose]: () => users.close() });
}

describeUserRepository("SQLite in a file", async () => open(newPath()));
describeUserRepository("SQLite in memory", async () => open(":memory:"));

const user = { id: "1", email: "a@example.com", name: "A", createdAtMs: 1, updatedAtMs: 1, version: 1 };

describe("a SQLite file", () => {
  test("keeps its users, its key and its schema when it is opened again", async () => {
    const path = newPath();
    let key: Uint8Array;
    {
      await using users = open(path);
      await users.insert(user);
      key = await users.pageTokenKey();
    }
    await using users = open(path);
    expect(await users.find("1")).toEqual(user);
    expect(await users.pageTokenKey()).toEqual(key);
  });

  test("is written to the disk durably: WAL, synchronous FULL", async () => {
    const path = newPath();
    await using users = open(path);
    await users.insert(user);
    const other = new DatabaseSync(path);
    expect(other.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    expect(other.prepare("PRAGMA user_version").get()).toEqual({ user_version: 4 });
    expect(other.prepare("SELECT count(*) AS count FROM users").get()).toEqual({ count: 1 });
    other.close();
  });

  test("is refused and left unchanged when of a newer version", () => {
    const path = newPath();
    const newer = new DatabaseSync(path);
    newer.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 999`);
    newer.close();
    expect(() => open(path)).toThrow("newer version");
  });

  test("is refused when it is not a database", () => {
    const path = newPath();
    writeFileSync(path, "this is not a database, and long enough to be seen as none".repeat(20));
    expect(() => open(path)).toThrow("not a database");
  });

  test("forgets expired requests, a few with each new one", async () => {
    const path = newPath();
    await using users = open(path);
    const insert = (index: number, notBeforeMs: number) =>
      users.insert(
        { ...user, id: `${index}`, email: `${index}@example.com`, createdAtMs: index },
        { principal: "a", requestId: `${index}`, requestHash: "h", notBeforeMs },
      );
    for (let index = 0; index < 20; index++) await insert(index, 0);
    for (let index = 20; index < 30; index++) await insert(index, 20);
    const other = new DatabaseSync(path);
    expect(other.prepare("SELECT min(created_at_ms) AS oldest FROM create_requests").get()).toEqual({ oldest: 20 });
    other.close();
  });
});

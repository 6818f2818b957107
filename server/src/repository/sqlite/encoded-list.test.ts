import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, test } from "vitest";
import { describeEncodedList, listEncoded } from "../encoded-list.contract.ts";
import { newUser } from "../new-user.contract.ts";
import type { EncodeUser } from "../user-repository.ts";
import { SqliteEncodedList } from "./encoded-list.ts";
import { sqliteMigrations } from "./migrations.ts";
import { addWordFunctions } from "./stored-words.ts";
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

describe("SQLite in a file", () => describeEncodedList(async () => open(newPath())));
describe("SQLite in memory", () => describeEncodedList(async () => open(":memory:")));

test("another connection's changes are seen at once, and what it removes and adds in the same place", async () => {
  const path = newPath();
  await using users = open(path);
  for (let i = 0; i < 20; i++) await users.insert(newUser());
  using other = new DatabaseSync(path);
  const names = async () => (await listEncoded(users, { limit: 20 }))?.users.map(({ name }) => name);
  await names();
  for (let i = 0; i < 5; i++) {
    other.exec(`UPDATE users SET name = 'other ${i}' WHERE rowid = 3`);
    expect((await names())?.[2]).toBe(`other ${i}`);
  }
  // The user has the same id and version as before, so only its content shows that it is another one.
  other.exec("CREATE TEMP TABLE t AS SELECT * FROM users WHERE rowid = 3; DELETE FROM users WHERE rowid = 3");
  other.exec("UPDATE t SET name = 'restored'; INSERT INTO users SELECT * FROM t");
  expect((await names())?.[2]).toBe("restored");
});

/** Renames all users to the same new name again and again, each time in one transaction. */
const RENAME_ALL = `
  const { workerData: { path, seen } } = require("node:worker_threads");
  const { DatabaseSync } = require("node:sqlite");
  const database = new DatabaseSync(path, { timeout: 5_000 });
  database.exec("PRAGMA synchronous = OFF");
  const rename = database.prepare("UPDATE users SET name = ?");
  for (let i = 1; i <= 1_000; i++) {
    rename.run(String(i).padStart(4, "0"));
    if (i % 100 > 0) continue;
    Atomics.wait(seen, 0, 0, 60_000);
    Atomics.store(seen, 0, 0);
  }
  database.close();`;

test("a page is of one state of the database, and never an older one, while another connection writes", async () => {
  const path = newPath();
  await using users = open(path);
  for (let i = 0; i < 100; i++) await users.insert(newUser({ name: "0000" }));
  // Every hundredth name stays until a page has returned it, or the one before it.
  const hasSeen = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(RENAME_ALL, { eval: true, workerData: { path, seen: hasSeen } });
  const seen = new Set<string>();
  let last = "";
  const ended = once(worker, "exit");
  while (last < "1000") {
    const page = await listEncoded(users, { limit: 100 });
    // While commits follow each other too closely, there is no page.
    if (page) {
      expect(new Set(page.users.map(({ name }) => name)).size).toBe(1);
      const name = page.users[0]?.name ?? "";
      expect(name >= last).toBe(true);
      last = name;
      seen.add(name);
      if (name.endsWith("00")) {
        Atomics.store(hasSeen, 0, 1);
        Atomics.notify(hasSeen, 0);
      }
    }
    await new Promise(setImmediate);
  }
  expect(await ended).toEqual([0]);
  expect(seen.size).toBeGreaterThan(2);
});

describe("the connection's own statements", () => {
  const encode: EncodeUser = ({ id, name }) => Buffer.from(`${id}=${name};`);

  async function read(list: SqliteEncodedList): Promise<string | undefined> {
    const parts: Uint8Array[] = [];
    const target = { append: (bytes: Uint8Array) => parts.push(bytes.slice()) };
    const page = await list.page({ after: undefined, limit: 10, encode, target });
    return page && Buffer.concat(parts).toString();
  }

  function openList() {
    const database = new DatabaseSync(":memory:");
    addWordFunctions(database);
    for (const step of sqliteMigrations) database.exec(step);
    const insert = (verb: string, id: string, email: string, name: string) =>
      database.exec(`
        ${verb} INTO users VALUES (NULL, '${id}', '${email}', '${email}', '${name}', '${name}', '', 1, 1, 1)`);
    insert("INSERT", "1", "a", "Ada");
    insert("INSERT", "2", "b", "Bob");
    return { database, insert, list: new SqliteEncodedList(database) };
  }

  test("change what is read next, whatever they are", async () => {
    const { database, insert, list } = openList();
    expect(await read(list)).toBe("1=Ada;2=Bob;");
    database.exec("UPDATE users SET name = 'Eve' WHERE id = '1'");
    expect(await read(list)).toBe("1=Eve;2=Bob;");
    insert("INSERT OR REPLACE", "2", "b", "Ben");
    expect(await read(list)).toBe("1=Eve;2=Ben;");
    // Replaces the first row because of its e-mail, and then because of its rowid.
    insert("INSERT OR REPLACE", "3", "a", "Cy");
    database.exec("UPDATE users SET rowid = 1 WHERE id = '3'");
    expect(await read(list)).toBe("2=Ben;3=Cy;");
    database.exec("DELETE FROM users");
    expect(await read(list)).toBe("");
    insert("INSERT", "9", "z", "Zoe");
    expect(await read(list)).toBe("9=Zoe;");
    database.close();
  });

  test("keep nothing of a transaction that is taken back", async () => {
    const { database, list } = openList();
    await read(list);
    database.exec("BEGIN; UPDATE users SET name = 'never' WHERE id = '1'");
    expect(await read(list)).toBeUndefined();
    database.exec("ROLLBACK");
    expect(await read(list)).toBe("1=Ada;2=Bob;");
    database.close();
  });
});

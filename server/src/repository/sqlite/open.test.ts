import { createHash } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { withFolderEach } from "@rollcall/testing/test-folder";
import { describe, expect, test, vi } from "vitest";
import type { User } from "../../domain/user.ts";
import type { DatabaseNotice } from "../database-open.ts";
import { sqliteMigrations } from "./migrations.ts";
import { APPLICATION_ID, inspectFile } from "./recognise-sqlite.ts";
import { openSqliteUserRepository } from "./user-repository.ts";

let parent: string;
let folder: string;
let path: string;
withFolderEach((created) => {
  parent = created;
  folder = join(parent, "data");
  path = join(folder, "users.db");
});

function open(notices: DatabaseNotice[] = []) {
  const users = openSqliteUserRepository({ path, onNotice: (notice) => notices.push(notice) });
  return Object.assign(users, { [Symbol.asyncDispose]: () => users.close() });
}

function makeWith(sql: string): void {
  mkdirSync(folder, { recursive: true });
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

function pragma(name: string): unknown {
  const database = new DatabaseSync(path);
  const value = database.prepare(`PRAGMA ${name}`).get()?.[name];
  database.close();
  return value;
}

/** Returns names, modes and digests of all files in the folder. */
function contents(): unknown[] {
  return readdirSync(folder).map((name) => {
    const file = join(folder, name);
    return [name, statSync(file).mode, createHash("sha256").update(readFileSync(file)).digest("hex")];
  });
}

const user = (id: string, name = "A"): User => {
  return { id, email: `${id}@example.com`, name, createdAtMs: 1, updatedAtMs: 1, version: 1 };
};

describe("another program's database is refused and left unchanged", () => {
  const tables = "CREATE TABLE users (id, secrets); CREATE TABLE notes (text); INSERT INTO notes VALUES ('x')";
  test.each([
    ["with a rollback journal", tables],
    ["in WAL mode", `PRAGMA journal_mode = WAL; ${tables}`],
    ["without tables", "PRAGMA application_id = 7"],
    ["with a version like ours", `PRAGMA user_version = 2; ${tables}`],
  ])("%s", (_name, sql) => {
    makeWith(sql);
    const before = contents();
    expect(() => open()).toThrow(`${path} is another program's database; set DATABASE_URL to a file of Rollcall's own`);
    expect(contents()).toEqual(before);
  });

  test("even if its content is only in the log, as after a crash", () => {
    const running = join(parent, "running");
    mkdirSync(running);
    const program = new DatabaseSync(join(running, "users.db"));
    program.exec(`PRAGMA journal_mode = WAL; ${tables}`);
    cpSync(running, folder, { recursive: true });
    program.close();
    rmSync(`${path}-shm`);
    const isOfTheirs = (entry: unknown) => !String(entry).startsWith("users.db-shm");
    const before = contents();
    expect(before).toHaveLength(2);
    expect(() => open()).toThrow("another program's database");
    // Opening a database recreates the index of its log, so that file is left out.
    expect(contents().filter(isOfTheirs)).toEqual(before);
  });
});

describe("a Rollcall database", () => {
  test.each([1, 2])("of version %i, which had no application id, is opened and gets one", async (version) => {
    makeWith(
      `PRAGMA journal_mode = WAL; ${sqliteMigrations.slice(0, version).join("")}; PRAGMA user_version = ${version}`,
    );
    {
      await using users = open();
      await users.insert(user("1"));
    }
    expect(pragma("application_id")).toBe(APPLICATION_ID);
    await using users = open();
    expect(await users.find("1")).toEqual(user("1"));
  });

  test("is created in an empty file", async () => {
    makeWith("");
    await using users = open();
    await users.insert(user("1"));
  });

  test("is opened after a crash that left everything in the log", async () => {
    const running = join(parent, "running");
    {
      await using users = openDisposable(join(running, "users.db"));
      await users.insert(user("1"));
      cpSync(running, folder, { recursive: true });
    }
    await using users = open();
    expect(await users.find("1")).toEqual(user("1"));
  });

  test("is not opened when damaged", async () => {
    await open().close();
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(7, 4_096));
    expect(() => open()).toThrow(/users\.db is damaged.* \(.*\); put a backup in its place/);
  });

  function openDisposable(file: string) {
    const users = openSqliteUserRepository({ path: file });
    return Object.assign(users, { [Symbol.asyncDispose]: () => users.close() });
  }
});

test("a file that another process fills while it is inspected is not refused", () => {
  mkdirSync(folder);
  using creator = new DatabaseSync(path);
  creator.exec("PRAGMA journal_mode = WAL; CREATE TABLE first (id); DROP TABLE first");
  const { prepare } = DatabaseSync.prototype;
  let hasFilled = false;
  // The list of tables is read after the application id and the version. They must come from one moment.
  const spy = vi.spyOn(DatabaseSync.prototype, "prepare").mockImplementation(function (this: DatabaseSync, sql) {
    // The first attempt does not see the log, where the creator writes.
    if (sql.includes("sqlite_schema") && this.prepare("PRAGMA journal_mode").get()?.journal_mode === "wal") {
      creator.exec(`BEGIN; CREATE TABLE IF NOT EXISTS users (id); PRAGMA application_id = ${APPLICATION_ID};
        PRAGMA user_version = ${sqliteMigrations.length}; COMMIT`);
      hasFilled = true;
    }
    return prepare.call(this, sql);
  });
  try {
    inspectFile(path);
  } finally {
    spy.mockRestore();
  }
  expect(hasFilled).toBe(true);
});

test("a path that can't be a file says so", () => {
  writeFileSync(folder, "");
  expect(() => open()).toThrow(`${path} can't be made (a part of its path is a file, not a folder)`);
  path = join(folder, "deeper", "users.db");
  expect(() => open()).toThrow(`${path} can't be made (a part of its path is a file, not a folder)`);
  path = join(folder, "users.db");
  rmSync(folder);
  mkdirSync(path, { recursive: true });
  expect(() => open()).toThrow(`${path} is not a file`);
});

describe.skipIf(process.platform === "win32")(
  "without permission to write in its folder, which the error names,",
  () => {
    /** User without privileges, by Linux's convention. */
    const NOBODY = 65_534;

    /** Runs synchronous code as a user that permissions apply to; they do not apply to root. */
    function withoutRights(run: () => void): void {
      const uid = process.geteuid?.();
      if (uid === 0) process.seteuid?.(NOBODY);
      try {
        run();
      } finally {
        if (uid === 0) process.seteuid?.(0);
      }
    }

    test("an existing file", async () => {
      await open().close();
      chmodSync(parent, 0o755);
      chmodSync(path, 0o666);
      chmodSync(folder, 0o555);
      const words = `${path} can't be written: give this user permission to write in ${folder}, where SQLite keeps its log`;
      withoutRights(() => expect(() => open()).toThrow(words));
      // The control.
      chmodSync(folder, 0o777);
      withoutRights(() => expect(() => open().close()).not.toThrow());
    });

    test("a new file", () => {
      chmodSync(parent, 0o755);
      mkdirSync(folder);
      chmodSync(folder, 0o555);
      withoutRights(() =>
        expect(() => open()).toThrow(`${path} can't be made (this user has no permission for its folder)`),
      );
    });
  },
);

describe.skipIf(process.platform === "win32")("modes", () => {
  const mode = (file: string) => statSync(file).mode & 0o777;

  test("let only the owner read the database, its log and the folder", async () => {
    await using users = open();
    await users.insert(user("1"));
    expect(mode(folder)).toBe(0o700);
    expect(["", "-wal", "-shm"].map((suffix) => mode(path + suffix))).toEqual([0o600, 0o600, 0o600]);
    // The control: SQLite itself makes files that everybody can read.
    const control = join(folder, "control.db");
    using database = new DatabaseSync(control);
    database.exec("CREATE TABLE t (a)");
    expect(mode(control)).toBe(0o644 & ~process.umask());
  });

  test.each([
    { folderMode: 0o700, fileMode: 0o644, words: undefined },
    { folderMode: 0o755, fileMode: 0o640, words: undefined },
    { folderMode: 0o755, fileMode: 0o644, words: "users.db can be read by every user" },
    { folderMode: 0o777, fileMode: 0o600, words: "data can be written by every user" },
  ])("of $folderMode and $fileMode are reported, and left: $words", async ({ folderMode, fileMode, words }) => {
    await open().close();
    chmodSync(folder, folderMode);
    chmodSync(path, fileMode);
    const notices: DatabaseNotice[] = [];
    await using _users = open(notices);
    expect(notices).toEqual(words ? [{ level: "warn", message: expect.stringContaining(words) }] : []);
    expect([mode(folder), mode(path)]).toEqual([folderMode, fileMode]);
  });
});

test("the log shrinks again once another process's long read has ended", async () => {
  const limitBytes = 16 * 1024 ** 2;
  const notices: DatabaseNotice[] = [];
  await using users = open(notices);
  const logBytes = () => statSync(`${path}-wal`).size;
  let count = 0;
  const write = () => users.insert(user(`${count++}`, "x".repeat(200_000)));
  // Without a reader, the log file is reused.
  for (let i = 0; i < 60; i++) await write();
  expect(logBytes()).toBeLessThan(limitBytes);

  const reader = new DatabaseSync(path, { readOnly: true });
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM users").get();
  while (logBytes() < 65 * 1024 ** 2) await write();
  await users.ping();
  expect(notices).toEqual([
    { level: "warn", message: expect.stringMatching(/users\.db-wal has \d+ MiB: another process has been reading/) },
  ]);
  reader.close();
  const grownBytes = logBytes();
  // The first write moves the log into the database; the second one restarts the log.
  for (let i = 0; i < 2; i++) await write();
  console.log(`the log had ${grownBytes} bytes beside a reader, and ${logBytes()} after it`);
  expect(logBytes()).toBeLessThanOrEqual(limitBytes);
  expect(notices.at(-1)).toEqual({ level: "info", message: expect.stringMatching(/users\.db-wal has 1\d MiB again/) });
});

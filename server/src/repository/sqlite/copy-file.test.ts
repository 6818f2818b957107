import { closeSync, existsSync, openSync, readdirSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { withFolderEach } from "@rollcall/testing/test-folder";
import { expect, test } from "vitest";
import { type CopyFileOptions, copySqliteFile } from "./copy-file.ts";
import { openSqlite } from "./open.ts";

let folder: string;
withFolderEach((created) => {
  folder = created;
});

/** Enough users for three times as many pages as one step copies. */
const USERS = 8_000;

const PAGE_BYTES = 4_096;

/** Makes a database of some 13 MiB. Returns its path, and a connection that can write to it, as a server's can. */
function makeDatabase(count = USERS) {
  const path = join(folder, "users.db");
  const database = openSqlite(path);
  const insert = database.prepare(
    "INSERT INTO users (id, email, email_key, name, name_key, words, created_at_ms, updated_at_ms, version) VALUES (?, ?, ?, ?, ?, '', 1, 1, 1)",
  );
  const add = (id: string) => insert.run(id, `${id}@example.com`, `${id}@example.com`, "x".repeat(1_500), id);
  database.exec("BEGIN");
  for (let index = 0; index < count; index += 1) add(`user${index}`);
  database.exec("COMMIT");
  return { path, add, [Symbol.dispose]: () => database.close() };
}

const options = (from: string, to: string, more: Partial<CopyFileOptions> = {}): CopyFileOptions => ({
  from,
  to,
  signal: new AbortController().signal,
  onProgress() {},
  onCheck() {},
  ...more,
});

test("a copy is the state of one moment, though the source changes all the while", async () => {
  using source = makeDatabase();
  const to = join(folder, "copy.db");
  let steps = 0;
  let last: readonly number[] = [];
  const onProgress = (...progress: readonly number[]) => {
    last = progress;
    steps += 1;
    source.add(`late${steps}`);
  };
  const copied = await copySqliteFile(options(source.path, to, { onProgress }));
  expect(copied.users).toBe(USERS);
  expect(last).toEqual([copied.bytes, copied.bytes]);
  // The copy took three steps at least, and never began again.
  expect(steps).toBeGreaterThan(2);
  expect(steps).toBeLessThan(20);
  expect(statSync(to).mode & 0o777).toBe(0o600);
  using copy = new DatabaseSync(to, { readOnly: true });
  expect(copy.prepare("SELECT count(*) AS count FROM users WHERE id LIKE 'late%'").get()?.count).toBe(0);
  expect(readdirSync(folder).filter((name) => name.startsWith("copy"))).toEqual(["copy.db"]);

  // The control: without the read transaction SQLite begins again after each change.
  using reader = new DatabaseSync(source.path, { readOnly: true });
  let controlSteps = 0;
  const control = backup(reader, join(folder, "control.db"), {
    rate: 1_024,
    progress() {
      controlSteps += 1;
      if (controlSteps === 100) throw new Error("it never ends");
      source.add(`control${controlSteps}`);
    },
  });
  await expect(control).rejects.toThrow("it never ends");
});

test("a copy that is stopped leaves nothing, and what a killed one has left does no harm", async () => {
  using source = makeDatabase();
  const to = join(folder, "copy.db");
  const controller = new AbortController();
  const stopped = copySqliteFile(
    options(source.path, to, { signal: controller.signal, onProgress: () => controller.abort() }),
  );
  await expect(stopped).rejects.toThrow("aborted");
  expect(readdirSync(folder).filter((name) => name.startsWith("copy"))).toEqual([]);
  for (const suffix of ["", "-journal", "-wal"]) writeFileSync(`${to}.partial${suffix}`, "left behind");
  expect((await copySqliteFile(options(source.path, to))).users).toBe(USERS);
  expect(readdirSync(folder).filter((name) => name.startsWith("copy"))).toEqual(["copy.db"]);
});

test("a copy replaces nothing, and is put beside no foreign log", async () => {
  using source = makeDatabase(10);
  const to = join(folder, "copy.db");
  const copy = () => copySqliteFile(options(source.path, to));
  writeFileSync(`${to}-wal`, "");
  await expect(copy()).rejects.toThrow(`${to}-wal exists: move it away`);
  writeFileSync(to, "something");
  // Nobody is told to remove the log of a database: it may hold acknowledged writes.
  await expect(copy()).rejects.toThrow(`${to}, ${to}-wal exist: move them away, or name another place`);
  const other = join(folder, "other.db");
  writeFileSync(other, "something");
  await expect(copySqliteFile(options(source.path, other))).rejects.toThrow(`${other} exists: move it away`);
  await expect(copySqliteFile(options(source.path, source.path))).rejects.toThrow("exist: move them away");
  // An empty file does not count as one.
  const empty = join(folder, "new", "empty.db");
  await copySqliteFile(options(source.path, empty));
  expect(statSync(join(folder, "new")).mode & 0o777).toBe(0o700);
  const made = join(folder, "made.db");
  writeFileSync(made, "");
  await copySqliteFile(options(empty, made));
  expect(statSync(made).size).toBe(statSync(empty).size);
  // Another process creates the file while the copy is made.
  const late = join(folder, "late.db");
  const onCheck = () => writeFileSync(late, "something");
  await expect(copySqliteFile(options(source.path, late, { onCheck }))).rejects.toThrow("exists by now");
});

test("a source that is missing, foreign, empty, newer or damaged is refused, and nothing is left", async () => {
  using source = makeDatabase(2_000);
  const to = join(folder, "copy.db");
  const from = join(folder, "from.db");
  const copy = () => copySqliteFile(options(from, to));
  await expect(copy()).rejects.toThrow(`${from} does not exist`);
  writeFileSync(from, "");
  await expect(copy()).rejects.toThrow("is empty");
  writeFileSync(from, "no database".repeat(1_000));
  await expect(copy()).rejects.toThrow("is damaged, or not a database");
  const change = async (sql: string) => {
    const path = join(folder, `${Math.random()}.db`);
    await copySqliteFile(options(source.path, path));
    using database = new DatabaseSync(path);
    database.exec(sql);
    return copySqliteFile(options(path, to));
  };
  await expect(change("PRAGMA application_id = 7")).rejects.toThrow("another program's database");
  await expect(change("PRAGMA user_version = 999")).rejects.toThrow(
    /newer version of Rollcall \(schema 999, this one knows \d+\)/,
  );
  // Overwrites some pages.
  const damaged = join(folder, "damaged.db");
  await copySqliteFile(options(source.path, damaged));
  const descriptor = openSync(damaged, "r+");
  writeSync(descriptor, Buffer.alloc(8 * PAGE_BYTES, 0xff), 0, 8 * PAGE_BYTES, 100 * PAGE_BYTES);
  closeSync(descriptor);
  await expect(copySqliteFile(options(damaged, to))).rejects.toThrow("is damaged");
  expect(existsSync(to)).toBe(false);
  expect(existsSync(`${to}.partial`)).toBe(false);
});

test("a copy to be served has an epoch of its own, one to be kept has its source's", async () => {
  using source = makeDatabase(10);
  const [kept, served] = [join(folder, "kept.db"), join(folder, "served.db")];
  await copySqliteFile(options(source.path, kept));
  await copySqliteFile(options(kept, served, { begins: true }));
  const epochs = [source.path, kept, served].map((path) => {
    using database = new DatabaseSync(path, { readOnly: true });
    return database.prepare("SELECT value FROM properties WHERE name = 'change_epoch'").get()?.value;
  });
  expect(epochs[1]).toBe(epochs[0]);
  expect(epochs[2]).not.toBe(epochs[0]);
});

import {
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startProcess } from "@rollcall/testing/start-process";
import { startServer, until } from "@rollcall/testing/start-server";
import { withFolderEach } from "@rollcall/testing/test-folder";
import { describe, expect, test } from "vitest";
import type { DatabaseNotice } from "../../src/repository/database-open.ts";
import { openSqliteUserRepository } from "../../src/repository/sqlite/user-repository.ts";

let parent: string;
let folder: string;
let path: string;
withFolderEach((created) => {
  parent = created;
  folder = join(parent, "data");
  path = join(folder, "users.db");
});

const overGrpc = (baseUrl: string) => createGrpcTransport({ baseUrl });
const overGrpcWeb = (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" });
const overConnect = (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1" });

/** Starts a server with its database in the file, and a client for it. */
async function start(connect: (baseUrl: string) => Transport = overGrpc) {
  const notices: DatabaseNotice[] = [];
  const repository = openSqliteUserRepository({ path, onNotice: (notice) => notices.push(notice) });
  const server = await startServer({ repository });
  const users = createClient(UserService, connect(server.url));
  const headers = await server.auth();
  return {
    server,
    notices,
    create: async (name: string) => {
      const { user } = await users.createUser({ email: `${name}@example.com`, name }, { headers });
      return user?.id ?? "";
    },
    get: async (id: string) => (await users.getUser({ id }, { headers })).user?.name,
    list: () => users.listUsers({ pageSize: 1_000 }, { headers }),
    async readiness() {
      const response = await fetch(`${server.url}/readyz`);
      return [response.status, ((await response.json()) as { reason?: string }).reason];
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function refusal(call: Promise<unknown>): Promise<unknown> {
  const { code, rawMessage } = ConnectError.from(
    await call.then(
      () => undefined,
      (error) => error,
    ),
  );
  return { code, message: rawMessage };
}

const UNAVAILABLE = { code: Code.Unavailable, message: "database unavailable" };

/** Returns the names of the users that another process finds in the database. */
function namesIn(file: string): unknown[] {
  const database = new DatabaseSync(file);
  const rows = database.prepare("SELECT name FROM users ORDER BY name").all();
  database.close();
  return rows.map(({ name }) => name);
}

function removeAll(): void {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix);
}

const losses: { name: string; lose(): void; message: string }[] = [
  { name: "is removed", lose: removeAll, message: "was removed or renamed" },
  {
    name: "is replaced by another database",
    lose() {
      removeAll();
      writeFileSync(path, "");
    },
    message: "was replaced by another file",
  },
  { name: "goes with its folder", lose: () => renameSync(folder, `${folder}.old`), message: "was removed or renamed" },
];

describe.each(losses)("a database that $name", ({ lose, message }) => {
  test("acknowledges no write, and is not ready", async () => {
    await using users = await start();
    await using parallel = await start(overConnect);
    const id = await users.create("ada");
    expect(await users.get(id)).toBe("ada");
    expect(await users.readiness()).toEqual([200, undefined]);

    // The control: SQLite itself accepts the write.
    const control = new DatabaseSync(path);
    control.exec("CREATE TABLE control (value)");
    lose();
    control.exec("INSERT INTO control VALUES (1)");
    expect(await refusal(users.create("grace"))).toEqual(UNAVAILABLE);
    expect(await users.readiness()).toEqual([503, "database-missing"]);
    expect(await parallel.readiness()).toEqual([503, "database-missing"]);
    expect(await refusal(users.get(id))).toEqual(UNAVAILABLE);
    expect(await refusal(users.list())).toEqual(UNAVAILABLE);
    control.close();
    expect(users.notices).toEqual([{ level: "error", message: expect.stringContaining(`${path} ${message}`) }]);
    expect(users.server.log.filter(({ msg }) => msg === "call failed")).toEqual([]);
    expect(users.server.log.filter(({ msg }) => msg === "not ready")).toMatchObject([{ reason: "database-missing" }]);
  });
});

describe("a database", () => {
  test("that goes while nobody calls is noticed, and served again once its own files are back", async () => {
    await using users = await start(overConnect);
    const id = await users.create("ada");
    renameSync(folder, `${folder}.away`);
    await until(() => users.notices.length > 0);
    expect(await refusal(users.get(id))).toEqual(UNAVAILABLE);
    // Another database at the same path does not count as the server's.
    mkdirSync(folder);
    await openSqliteUserRepository({ path }).close();
    expect(await users.readiness()).toEqual([503, "database-missing"]);
    rmSync(folder, { recursive: true });
    renameSync(`${folder}.away`, folder);
    await until(() => users.notices.at(-1)?.level === "info");
    expect(await users.get(id)).toBe("ada");
    await users.create("grace");
    expect(await users.readiness()).toEqual([200, undefined]);
    expect(users.notices.map(({ level }) => level)).toEqual(["error", "error", "info"]);
    expect(namesIn(path)).toEqual(["ada", "grace"]);
  });

  test("behind a symbolic link is missing when the link leads elsewhere", async () => {
    const real = join(parent, "real.db");
    mkdirSync(folder);
    symlinkSync(real, path);
    await using users = await start();
    await users.create("ada");
    expect(statSync(real).mode & 0o077).toBe(0);
    rmSync(path);
    symlinkSync(join(parent, "other.db"), path);
    writeFileSync(path, "");
    expect(await refusal(users.create("grace"))).toEqual(UNAVAILABLE);
    expect(await users.readiness()).toEqual([503, "database-missing"]);
  });

  test("that was replaced is let go of without a change to what replaced it", async () => {
    {
      await using users = await start();
      await users.create("ada");
      removeAll();
      const other = new DatabaseSync(path);
      other.exec("PRAGMA journal_mode = WAL; CREATE TABLE users (name); INSERT INTO users VALUES ('other')");
      expect(await refusal(users.create("grace"))).toEqual(UNAVAILABLE);
      await users.server.app.close();
      expect(other.prepare("SELECT name FROM users").all()).toEqual([{ name: "other" }]);
      other.close();
    }
    expect(namesIn(path)).toEqual(["other"]);
  });

  test("whose log or its index is removed loses nothing that was acknowledged, even by a kill -9", async () => {
    await using server = await startProcess({ folder });
    const users = createClient(UserService, overGrpcWeb(server.url));
    const create = (name: string) =>
      users.createUser({ email: `${name}@example.com`, name }, { headers: server.headers });
    await create("a");
    rmSync(`${path}-wal`);
    await create("b");
    rmSync(`${path}-shm`);
    await create("c");
    await until(() => server.output().includes("-shm was removed"));
    expect(server.output()).toContain("-wal was removed; what it held is saved in the database, and it was made anew");
    server.process.kill("SIGKILL");
    await server.exited;
    expect(namesIn(path)).toEqual(["a", "b", "c"]);
  });

  test("whose log is removed while another process reads acknowledges nothing until that has ended", async () => {
    await using users = await start();
    await users.create("a");
    const other = new DatabaseSync(path);
    other.prepare("SELECT 1 FROM users").get();
    rmSync(`${path}-wal`);
    expect(await refusal(users.create("b"))).toEqual(UNAVAILABLE);
    expect(await users.readiness()).toEqual([503, "database-missing"]);
    expect(users.notices.at(-1)?.message).toContain("close other programs");
    other.close();
    await until(() => users.notices.at(-1)?.level === "info");
    await users.create("c");
    expect(await users.readiness()).toEqual([200, undefined]);
    // The refused user was nevertheless written, as after a lost answer.
    expect(namesIn(path)).toEqual(["a", "b", "c"]);
  });
});

const damages: { name: string; connect?: (baseUrl: string) => Transport; damage(): void }[] = [
  { name: "is emptied", damage: () => truncateSync(path) },
  { name: "is cut", connect: overConnect, damage: () => truncateSync(path, 4_096) },
  { name: "is overwritten", damage: () => writeFileSync(path, "no database".repeat(10_000)) },
  {
    name: "has its pages overwritten",
    connect: overGrpcWeb,
    damage: () => writeFileSync(path, Buffer.alloc(81_920, 7), { flag: "r+" }),
  },
  { name: "loses its tables", damage: () => alter("DROP TABLE users") },
];

function alter(sql: string): void {
  const database = new DatabaseSync(path, { timeout: 5_000 });
  database.exec(sql);
  database.close();
}

test.each(damages)("a database that $name is unavailable, and not ready", async ({ connect, damage }) => {
  const ada = { id: "1", email: "ada@example.com", name: "ada", createdAtMs: 1, updatedAtMs: 1, version: 1 };
  const repository = openSqliteUserRepository({ path });
  await repository.insert(ada);
  await repository.close();
  // The whole database is in its file now. After the start it is also in SQLite's cache, which does not see the damage.
  await using users = await start(connect);
  expect(await users.get("1")).toBe("ada");
  expect(await users.readiness()).toEqual([200, undefined]);
  damage();
  expect(await refusal(users.create("grace"))).toEqual(UNAVAILABLE);
  expect(await users.readiness()).toEqual([503, "database-corrupt"]);
  expect(await refusal(users.get("1"))).toEqual(UNAVAILABLE);
  expect(await refusal(users.list())).toEqual(UNAVAILABLE);
  expect(users.notices).toEqual([{ level: "error", message: expect.stringContaining("put a backup in its place") }]);
  expect(users.server.log.filter(({ msg }) => msg === "call failed")).toEqual([]);
});

test("a database that another process vacuums is served on", async () => {
  await using users = await start();
  alter(`INSERT INTO users WITH RECURSIVE counter (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < 999)
    SELECT NULL, i, i, i, hex(randomblob(100)), i, '', i, i, 1 FROM counter; PRAGMA wal_checkpoint(TRUNCATE)`);
  const { size } = statSync(path);
  await users.create("ada");
  alter("DELETE FROM users WHERE email NOT LIKE 'ada%'; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
  expect(statSync(path).size).toBeLessThan(size);
  await users.create("grace");
  expect(await users.readiness()).toEqual([200, undefined]);
  expect(users.notices).toEqual([]);
});

test("damage that only a read meets is unavailable and not ready too", async () => {
  await openSqliteUserRepository({ path }).close();
  // The data is larger than SQLite's cache.
  alter(`
    INSERT INTO users WITH RECURSIVE counter (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < 20000)
    SELECT NULL, i, i, i, hex(randomblob(100)), hex(randomblob(100)), '', i, i, 1 FROM counter`);
  await using users = await start();
  const database = new DatabaseSync(path);
  const bytes = Number(database.prepare("PRAGMA page_count").get()?.page_count) * 4_096;
  database.close();
  expect(await users.get("1")).toBeDefined();
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(bytes / 2, 7), 0, bytes / 2, bytes / 2);
  closeSync(file);
  const reads = await Promise.all(Array.from({ length: 20 }, (_, index) => refusal(users.get(`${1 + index * 1_000}`))));
  expect(reads).toContainEqual(UNAVAILABLE);
  expect(await users.readiness()).toEqual([503, "database-corrupt"]);
  expect(users.notices.map(({ level }) => level)).toEqual(["error"]);
});

import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startProcess } from "@rollcall/testing/start-process";
import { startServer, until } from "@rollcall/testing/start-server";
import { withFolderEach } from "@rollcall/testing/test-folder";
import { expect, test } from "vitest";
import { openSqliteUserRepository } from "../../src/repository/sqlite/user-repository.ts";

let folder: string;
let path: string;
withFolderEach((created) => {
  folder = created;
  path = join(folder, "users.db");
});

const READY = { status: 200, body: { status: "ready" } };
const message = expect.any(String);
const UNWRITABLE = { status: 503, body: { status: "unavailable", reason: "database-unwritable", message } };

async function readiness(url: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, body: await response.json() };
}

/** Asks like an orchestrator until the answer is as expected. Only the test's own time limit ends it. */
async function untilReadiness(url: string, expected: { status: number }): Promise<void> {
  while ((await readiness(url)).status !== expected.status) await new Promise((resolve) => setTimeout(resolve, 100));
}

/** Shell command that lets no file of the server grow beyond 2 MiB. Later writes fail, as on a full disk. */
const FULL_AT_2_MIB = "ulimit -f 4096";

/** Moves the content of the database's log into the database, so that the log has space again. */
function giveSpaceBack(): void {
  const database = new DatabaseSync(path, { timeout: 5_000 });
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}

function linesOf(output: string, message: string): Record<string, unknown>[] {
  const lines = output.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === message);
}

test.each<[string, (baseUrl: string) => Transport]>([
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["gRPC-Web", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ["Connect", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false })],
])(
  "while the disk is full the server is alive, reads over %s, and is not ready until space returns",
  async (_protocol, connect) => {
    await using server = await startProcess({ folder, limits: FULL_AT_2_MIB });
    const { url, headers } = server;
    const users = createClient(UserService, connect(url));
    const create = (number: number) =>
      users.createUser({ email: `user${number}@example.com`, name: "x".repeat(200) }, { headers });
    const first = await create(0);
    expect(await readiness(url)).toEqual(READY);

    let error: unknown;
    for (let number = 1; error === undefined; number++) await create(number).catch((reason) => (error = reason));
    expect(ConnectError.from(error)).toMatchObject({ code: Code.Unavailable, rawMessage: "database unavailable" });
    // The first probe after the first failure reports it, and so does each probe of a flood.
    expect(await readiness(url)).toEqual(UNWRITABLE);
    const flood = await Promise.all(Array.from({ length: 200 }, () => readiness(url)));
    expect(flood.filter(({ status }) => status !== 503)).toEqual([]);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await users.getUser({ id: first.user?.id ?? "" }, { headers })).user).toEqual(first.user);

    giveSpaceBack();
    await untilReadiness(url, READY);
    await create(-1);
    expect(await readiness(url)).toEqual(READY);
    await until(() => linesOf(server.output(), "ready again").length > 0);
    // There were 200 probes, including those that got a 503.
    expect(linesOf(server.output(), "request refused")).toEqual([]);
    expect(linesOf(server.output(), "not ready")).toEqual([
      expect.objectContaining({ level: "warn", reason: "database-unwritable" }),
    ]);
    expect(linesOf(server.output(), "ready again")).toHaveLength(1);
  },
);

test("a server to whom nobody writes sees a full disk too", async () => {
  await using server = await startProcess({ folder, limits: FULL_AT_2_MIB });
  expect(await readiness(server.url)).toEqual(READY);
  // Another process, which has no limit, fills the log.
  const other = new DatabaseSync(path, { timeout: 5_000 });
  other.exec("PRAGMA wal_autocheckpoint = 0; CREATE TABLE filler (bytes BLOB)");
  other.exec("INSERT INTO filler VALUES (randomblob(3000000))");
  await untilReadiness(server.url, UNWRITABLE);
  expect(await readiness(server.url)).toEqual(UNWRITABLE);
  other.exec("DROP TABLE filler; PRAGMA wal_checkpoint(TRUNCATE)");
  other.close();
  await untilReadiness(server.url, READY);
});

test("a database that another process keeps is not ready, and probes cost little", async () => {
  await using server = await startServer({ repository: openSqliteUserRepository({ path }) });
  const users = createClient(UserService, createGrpcTransport({ baseUrl: server.url }));
  const headers = await server.auth();
  expect(await readiness(server.url)).toEqual(READY);
  const sizeBefore = statSync(`${path}-wal`).size;
  const startedAtMs = performance.now();
  await Promise.all(Array.from({ length: 500 }, () => readiness(server.url)));
  const seconds = (performance.now() - startedAtMs) / 1_000;
  // There is one small write a second, which takes at most two pages of the log.
  expect((statSync(`${path}-wal`).size - sizeBefore) / 4_096).toBeLessThan(3 * (seconds + 1));

  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  const failed = users.createUser({ email: "ada@example.com", name: "Ada" }, { headers });
  await expect(failed).rejects.toThrow("database unavailable");
  expect(await readiness(server.url)).toEqual(UNWRITABLE);
  other.exec("COMMIT");
  other.close();
  await untilReadiness(server.url, READY);
  await users.createUser({ email: "ada@example.com", name: "Ada" }, { headers });
});

test("a database that is gone is named as such, and its error's text stays in the log", async () => {
  const repository = openSqliteUserRepository({ path });
  await using server = await startServer({ repository });
  await repository.close();
  const body = { status: "unavailable", reason: "database-unavailable", message };
  expect(await readiness(server.url)).toEqual({ status: 503, body });
  expect(server.log.filter(({ msg }) => msg === "not ready")).toEqual([
    expect.objectContaining({ reason: "database-unavailable", err: expect.anything() }),
  ]);
});

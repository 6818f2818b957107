import { type PostgresServer, startPostgres } from "@rollcall/testing/start-postgres";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addressOf } from "../../../test/support/address-of.ts";
import { DatabaseMissingError, DatabaseUnavailableError, DatabaseUnwritableError } from "../../domain/errors.ts";
import type { DatabaseNotice } from "../database-open.ts";
import { newUser } from "../new-user.contract.ts";
import { timeoutsFor } from "./connection.ts";
import { PostgresPool } from "./pool.ts";
import { openPostgresUserRepository } from "./user-repository.ts";

/** Longest time of a call here. The default, a second, can be too short on a busy machine where nothing is wrong. */
const TIMEOUT_MS = 4_000;
/** Far more than that, for a machine that is busy. */
const MUCH_LONGER_MS = 40_000;

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

async function open(url: string, timeoutMs = TIMEOUT_MS) {
  const notices: DatabaseNotice[] = [];
  const onNotice = (notice: DatabaseNotice) => notices.push(notice);
  const users = await openPostgresUserRepository({ address: addressOf(url), timeoutMs, onNotice });
  return Object.assign(users, { notices, [Symbol.asyncDispose]: () => users.close() });
}

test.each([
  ["killed", () => postgres.kill(), () => postgres.start()],
  ["stopped", () => postgres.stop(), () => postgres.start()],
  ["hanging", async () => postgres.pause(), async () => postgres.resume()],
])("a server that is %s makes calls unavailable soon, and is used again when it is back", async (_name, end, begin) => {
  await using users = await open(await postgres.createSchema());
  const user = await users.insert(newUser());
  await end();
  const startedAtMs = performance.now();
  const calls = [
    ...Array.from({ length: 20 }, () => users.insert(newUser())),
    ...Array.from({ length: 20 }, () => users.find(user.id)),
    users.update(user.id, { name: "x", updatedAtMs: 1 }),
    users.list({ limit: 9 }),
    users.list({ limit: 9, words: ["x", "y"] }),
    users.count({ limit: 9 }),
    users.ping(),
  ];
  for (const { status, reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[]) {
    expect({ status, reason }).toEqual({ status: "rejected", reason: expect.any(DatabaseUnavailableError) });
  }
  expect(performance.now() - startedAtMs).toBeLessThan(MUCH_LONGER_MS);
  await begin();
  await expect.poll(() => users.find(user.id)).toEqual(user);
  const added = await users.insert(newUser());
  expect(await users.find(added.id)).toEqual(added);
  await users.ping();
  expect(users.notices).toEqual([
    {
      level: "error",
      message: expect.stringMatching(/^PostgreSQL database "postgres" at 127.0.0.1:\d+ .*: nothing is read/),
    },
    { level: "info", message: expect.stringMatching(/answers again$/) },
  ]);
  expect(JSON.stringify(users.notices)).not.toMatch(/test_\d+:/);
});

test("control: with a bound of minutes, a call waits for a server that hangs", async () => {
  const url = await postgres.createSchema();
  await using users = await open(url);
  await using patient = await open(url, 10 * MUCH_LONGER_MS);
  const user = await users.insert(newUser());
  expect(await patient.find(user.id)).toEqual(user);
  postgres.pause();
  let isOver = false;
  const waiting = Promise.resolve(patient.find(user.id)).finally(() => {
    isOver = true;
  });
  await expect(users.find(user.id)).rejects.toThrow(DatabaseUnavailableError);
  expect(isOver).toBe(false);
  postgres.resume();
  expect(await waiting).toEqual(user);
});

test("sessions that the server ends cost their own calls, and no restart", async () => {
  const url = await postgres.createSchema();
  await using users = await open(url);
  const user = await users.insert(newUser());
  await postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rollcall'");
  await expect.poll(() => users.find(user.id)).toEqual(user);
  await expect
    .poll(() =>
      users.insert(newUser()).then(
        () => "added",
        () => "away",
      ),
    )
    .toBe("added");
});

test("a database that takes no writes is unwritable, and readable", async () => {
  const url = await postgres.createSchema();
  await using users = await open(url);
  const user = await users.insert(newUser());
  // A standby behaves like this. Open sessions keep their setting.
  await postgres.query("ALTER SYSTEM SET default_transaction_read_only = on");
  await postgres.query("SELECT pg_reload_conf()");
  await expect.poll(() => users.ping().catch((error) => error)).toBeInstanceOf(DatabaseUnwritableError);
  await expect(users.insert(newUser())).rejects.toThrow(DatabaseUnwritableError);
  expect(await users.find(user.id)).toEqual(user);
  await postgres.query("ALTER SYSTEM RESET default_transaction_read_only");
  await postgres.query("SELECT pg_reload_conf()");
  await expect.poll(() => users.ping()).toBe(undefined);
  await users.insert(newUser());
});

test("a row that another transaction keeps locked holds up its own writes alone, and for a time", async () => {
  const url = await postgres.createSchema();
  // A write that shared a transaction with the locked one has only the rest of its time left.
  await using users = await open(url);
  const locked = await users.insert(newUser());
  const free = await users.insert(newUser());
  const holding = postgres.query(
    `BEGIN; SELECT FROM users WHERE id = '${locked.id}' FOR UPDATE; SELECT pg_sleep(600)`,
    url,
  );
  holding.catch(() => {});
  await expect
    .poll(() => postgres.query("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    .toHaveLength(1);
  const outcomes = await Promise.allSettled([
    users.update(locked.id, { name: "x", updatedAtMs: 1 }),
    users.update(free.id, { name: "x", updatedAtMs: 1 }),
    users.insert(newUser()),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
  expect((outcomes[0] as PromiseRejectedResult).reason).toBeInstanceOf(DatabaseUnavailableError);
  expect(users.notices).toEqual([]);
  await postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
  await expect(holding).rejects.toThrow();
  expect(await users.update(locked.id, { name: "x", updatedAtMs: 1 })).toMatchObject({ version: 2 });
});

test("a database that was dropped is missing", async () => {
  const url = await postgres.createDatabase();
  await using users = await open(url);
  await users.insert(newUser());
  await postgres.query(`DROP DATABASE ${new URL(url).pathname.slice(1)} WITH (FORCE)`);
  await expect.poll(() => users.ping().catch((error) => error)).toBeInstanceOf(DatabaseMissingError);
});

test("a farewell that comes with a connection's first readiness fails a call, and ends no process", async () => {
  const readiness = Buffer.from("Z\0\0\0\x05I", "latin1");
  const fields = "SFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0";
  const farewell = Buffer.alloc(5 + fields.length, `E\0\0\0\0${fields}`, "latin1");
  farewell.writeUInt32BE(4 + fields.length, 1);
  await using proxy = await startTcpProxy(postgres.port, {
    onResponseBytes: (bytes) => (bytes.subarray(-6).equals(readiness) ? Buffer.concat([bytes, farewell]) : bytes),
  });
  const url = new URL(await postgres.createSchema());
  url.port = String(proxy.port);
  const pool = new PostgresPool({ address: addressOf(url.href), timeouts: timeoutsFor(TIMEOUT_MS), maxConnections: 1 });
  await expect(pool.query({ name: "one", text: "SELECT 1" })).rejects.toThrow(DatabaseUnavailableError);
  await pool.close();
});

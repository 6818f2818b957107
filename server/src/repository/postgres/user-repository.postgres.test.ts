import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { startTransactionPooler } from "@rollcall/testing/transaction-pooler";
import { describe, expect, test } from "vitest";
import { addressOf } from "../../../test/support/address-of.ts";
import { DatabaseUnavailableError, DatabaseUnwritableError, EmailTakenError } from "../../domain/errors.ts";
import { describeUserRepository } from "../user-repository.contract.ts";
import { openPostgresUserRepository } from "./user-repository.ts";

const postgres = await sharedPostgres();

/** The default of a second may be too short for calls on a busy machine. */
async function open(url: string, timeoutMs = 60_000, maxConnections?: number) {
  const users = await openPostgresUserRepository({ address: addressOf(url), timeoutMs, maxConnections });
  return Object.assign(users, { [Symbol.asyncDispose]: () => users.close() });
}

describeUserRepository("PostgreSQL", async () => open(await postgres.createSchema()));

const user = { id: "1", email: "a@example.com", name: "A", createdAtMs: 1, updatedAtMs: 1, version: 1 };

describe("a PostgreSQL database", () => {
  test("keeps its users and its key when it is opened again", async () => {
    const url = await postgres.createSchema();
    let key: Uint8Array;
    {
      await using users = await open(url);
      await users.insert(user);
      key = await users.pageTokenKey();
    }
    await using users = await open(url);
    expect(await users.find("1")).toEqual(user);
    expect(await users.pageTokenKey()).toEqual(key);
  });

  test("forgets expired requests, a few with each new one", async () => {
    const url = await postgres.createSchema();
    await using users = await open(url);
    const insert = (index: number, notBeforeMs: number) =>
      users.insert(
        { ...user, id: `${index}`, email: `${index}@example.com`, createdAtMs: index },
        { principal: "a", requestId: `${index}`, requestHash: "h", notBeforeMs },
      );
    for (let index = 0; index < 20; index++) await insert(index, 0);
    for (let index = 20; index < 30; index++) await insert(index, 20);
    const oldest = "SELECT min(created_at_ms)::int AS oldest FROM create_requests";
    expect(await postgres.query(oldest, url)).toEqual([{ oldest: 20 }]);
  });

  test("writes of two servers do not wait for each other in circles", async () => {
    const url = await postgres.createSchema();
    await using one = await open(url);
    await using other = await open(url);
    const ids = Array.from({ length: 20 }, (_, index) => `u${index}`);
    await Promise.all(ids.map((id) => one.insert({ ...user, id, email: `${id}@example.com` })));
    const logBefore = postgres.log().length;
    for (let round = 0; round < 20; round++) {
      const change = { name: `N${round}`, updatedAtMs: round };
      const changes = [
        ...ids.map((id) => one.update(id, change)),
        ...ids.toReversed().map((id) => other.update(id, change)),
      ];
      await Promise.all(changes);
    }
    for (const found of await one.findMany(ids)) expect(found).toMatchObject({ version: 41 });
    expect(postgres.log().slice(logBefore)).not.toMatch(/deadlock|lock timeout/);
  });

  test("two servers decide by the index who gets an e-mail, and by the version who changes a user", async () => {
    const url = await postgres.createSchema();
    await using one = await open(url);
    await using other = await open(url);
    for (let round = 0; round < 30; round++) {
      const email = `${round}@example.com`;
      const created = await Promise.allSettled(
        Array.from({ length: 8 }, (_, index) =>
          (index % 2 ? one : other).insert({ ...user, id: `${round}-${index}`, email }),
        ),
      );
      const winners = created.flatMap((result) => (result.status === "fulfilled" ? [result.value.id] : []));
      expect(winners).toHaveLength(1);
      const [id = ""] = winners;
      const updated = await Promise.allSettled(
        Array.from({ length: 8 }, (_, index) =>
          (index % 2 ? one : other).update(id, { name: `${index}`, updatedAtMs: 2 }, 1),
        ),
      );
      expect(updated.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const moved = await Promise.allSettled(
        Array.from({ length: 4 }, async (_, index) => {
          const users = index % 2 ? one : other;
          const { id: own } = await users.insert({ ...user, id: `${round}m${index}`, email: `m${index}-${email}` });
          return users.update(own, { email: `moved-${email}`, updatedAtMs: 2 });
        }),
      );
      expect(moved.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    }
    const rows = await postgres.query(
      "SELECT count(*)::int AS users, count(DISTINCT email_key)::int AS emails FROM users",
      url,
    );
    expect(rows).toEqual([{ users: 150, emails: 150 }]);
  });

  test("two servers answer a repeated request with one user", async () => {
    const url = await postgres.createSchema();
    await using one = await open(url);
    await using other = await open(url);
    for (let round = 0; round < 30; round++) {
      const key = { principal: "a", requestId: `${round}`, requestHash: "h", notBeforeMs: 0 };
      const created = await Promise.all(
        Array.from({ length: 6 }, (_, index) =>
          (index % 2 ? one : other).insert({ ...user, id: `${round}-${index}`, email: `${round}@example.com` }, key),
        ),
      );
      expect(new Set(created.map(({ id }) => id)).size).toBe(1);
    }
    const others = Array.from({ length: 6 }, (_, index) =>
      (index % 2 ? one : other).insert(
        { ...user, id: `other-${index}`, email: `other-${index}@example.com` },
        { principal: "a", requestId: "one", requestHash: `${index}`, notBeforeMs: 0 },
      ),
    );
    const outcomes = await Promise.allSettled(others);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await postgres.query("SELECT count(*)::int AS users FROM users", url)).toEqual([{ users: 31 }]);
  });

  test("works behind a pooler that gives each transaction another session", async () => {
    const direct = await postgres.createSchema();
    await using pooler = await startTransactionPooler(direct);
    const url = Object.assign(new URL(direct), { port: pooler.port }).href;
    await using users = await open(`${url}?pgbouncer=true`);
    const created = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        users.insert({ ...user, id: `${index}`, email: `${index}@example.com` }),
      ),
    );
    for (let version = 1; version <= 10; version++) {
      await users.update("7", { name: "Seven", updatedAtMs: 2 }, version);
      expect(await users.find("7")).toMatchObject({ version: version + 1 });
    }
    expect(await users.list({ limit: 100, words: ["seven"] })).toHaveLength(1);
    expect(await users.findMany(created.map(({ id }) => id))).toHaveLength(50);
    await expect(users.insert({ ...user, id: "x", email: "1@example.com" })).rejects.toThrow(EmailTakenError);
    await users.ping();
    expect(Math.min(...pooler.transactions)).toBeGreaterThan(0);
    await expect(open(url)).rejects.toThrow("set pgbouncer=true in DATABASE_URL");
  });

  test("without the right to write it is unwritable, and readable", async () => {
    const url = await postgres.createSchema();
    await using users = await open(url);
    await users.insert(user);
    const { username } = new URL(url);
    await postgres.query(`REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${username} FROM ${username}`, url);
    await expect(users.insert({ ...user, id: "2", email: "b@example.com" })).rejects.toThrow(DatabaseUnwritableError);
    await expect(users.ping()).rejects.toThrow(DatabaseUnwritableError);
    expect(await users.find("1")).toEqual(user);
    await postgres.query(`GRANT ALL ON ALL TABLES IN SCHEMA ${username} TO ${username}`, url);
    await users.insert({ ...user, id: "2", email: "b@example.com" });
  });

  test("searches that are slow leave connections to reads", async () => {
    const url = await postgres.createSchema();
    await using users = await open(url, 60_000, 4);
    await users.insert(user);
    const holding = postgres.query("BEGIN; LOCK TABLE user_words IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)", url);
    holding.catch(() => {});
    const sleepers = "FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    await expect.poll(() => postgres.query(`SELECT pid ${sleepers}`)).toHaveLength(1);
    let found = 0;
    const searches = Array.from({ length: 20 }, async () => {
      const { length } = await users.list({ limit: 9, words: ["a"] });
      found += length;
    });
    const searching = Promise.allSettled(searches);
    const waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    await expect.poll(() => postgres.query(waiting)).toHaveLength(2);
    expect(await users.find("1")).toEqual(user);
    expect(found).toBe(0);
    await postgres.query(`SELECT pg_terminate_backend(pid) ${sleepers}`);
    await searching;
    expect(found).toBe(20);
  });

  test("a read behind a pooler has a bound of the server's", async () => {
    const url = await postgres.createSchema();
    await using patient = await open(url);
    await patient.insert(user);
    await using users = await open(`${url}?pgbouncer=true`, 1_000);
    const holding = postgres.query("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)", url);
    holding.catch(() => {});
    const sleepers = "FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    await expect.poll(() => postgres.query(`SELECT pid ${sleepers}`)).toHaveLength(1);
    // On a busy machine the repository's own bound may come first.
    const message = "canceling statement due to lock timeout";
    let reason: unknown;
    await expect
      .poll(async () => {
        reason = await users.list({ limit: 9 }).catch((error) => error);
        return reason;
      })
      .toMatchObject({ cause: { message } });
    expect(reason).toBeInstanceOf(DatabaseUnavailableError);
    await postgres.query(`SELECT pg_terminate_backend(pid) ${sleepers}`);
    await expect.poll(() => users.list({ limit: 9 })).toEqual([user]);
  });
});

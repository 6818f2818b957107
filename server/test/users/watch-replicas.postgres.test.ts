import { setTimeout as delay } from "node:timers/promises";
import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { startServer } from "@rollcall/testing/start-server";
import { withParts } from "@rollcall/testing/with-parts";
import { expect, test } from "vitest";
import type { PostgresAddress } from "../../src/repository/postgres/options.ts";
import { openPostgresUserRepository } from "../../src/repository/postgres/user-repository.ts";
import type { UserRepository } from "../../src/repository/user-repository.ts";
import { addressOf } from "../support/address-of.ts";
import { connect } from "../support/connect.ts";
import { shorten, Watch } from "./support/watch.ts";

const postgres = await sharedPostgres();

function open(url: string, more: Partial<PostgresAddress> = {}): Promise<UserRepository> {
  return openPostgresUserRepository({ address: { ...addressOf(url), ...more }, timeoutMs: 60_000 });
}

/** Returns the processes of the database that listen for notices. */
async function listeners(url: string): Promise<number[]> {
  const sql = "SELECT pid::int FROM pg_stat_activity WHERE usename = current_user AND query LIKE 'LISTEN%'";
  return (await postgres.query(sql, url)).map(({ pid }) => Number(pid));
}

/** Polls for changes of other servers so rarely that polling finds none. */
function withoutPolls(real: UserRepository): UserRepository {
  return withParts(real, { changes: withParts(real.changes, { pollIntervalMs: 3_600_000 }) });
}

test("a change on another replica comes by its notice; behind a pooler, which allows none, it waits for the next look", async () => {
  const url = await postgres.createSchema();
  await using writing = await startServer({ repository: await open(url) });
  await using listening = await startServer({ repository: withoutPolls(await open(url)) });
  await using pooled = await startServer({ repository: withoutPolls(await open(url, { isPooled: true })) });
  const { users } = await connect(writing);
  const { users: pooledUsers } = await connect(pooled);
  await using watch = new Watch((await connect(listening)).users);
  await using control = new Watch(pooledUsers);
  expect([await watch.take(1), await control.take(1)]).toEqual([["synced"], ["synced"]]);
  let controlSaw: string | undefined;
  const nextOfControl = control.next().then((event) => {
    controlSaw = shorten(event);
  });

  let made = 0;
  const create = async (by = users) => by.createUser({ name: `N${made}`, email: `n${made++}@example.com` });
  /** Makes changes until the first of them arrives, since another session's transaction may delay it. */
  const seeAChange = async () => {
    const awaited = `created N${made}`;
    let hasCome = false;
    const reading = (async () => {
      while (shorten(await watch.next()) !== awaited);
      hasCome = true;
    })();
    for (; !hasCome; await delay(50)) await create();
    await reading;
  };
  await expect.poll(() => listeners(url)).toHaveLength(1);
  await seeAChange();
  expect(controlSaw).toBeUndefined();

  // A lost connection is opened again. Changes made meanwhile are read then.
  const [first = 0] = await listeners(url);
  await postgres.query(`SELECT pg_terminate_backend(${first})`, url);
  await expect.poll(() => listeners(url)).not.toEqual([first]);
  await expect.poll(() => listeners(url)).toHaveLength(1);
  await seeAChange();
  expect(controlSaw).toBeUndefined();

  // The control is notified only of its own server's changes.
  while (controlSaw === undefined) {
    await create(pooledUsers);
    await delay(50);
  }
  await nextOfControl;
  expect(controlSaw).toBe("created N0");
});

test("the connection for notices is there while somebody watches, and no longer", async () => {
  const url = await postgres.createSchema();
  await using server = await startServer({ repository: await open(url) });
  expect(await listeners(url)).toEqual([]);
  const { users } = await connect(server);
  {
    await using watch = new Watch(users);
    await using other = new Watch(users);
    await Promise.all([watch.next(), other.next()]);
    await expect.poll(() => listeners(url)).toHaveLength(1);
  }
  await expect.poll(() => listeners(url)).toEqual([]);
});

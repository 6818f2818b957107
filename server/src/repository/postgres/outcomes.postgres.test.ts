import { startCommitCutter } from "@rollcall/testing/commit-cutter";
import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { startPostgres } from "@rollcall/testing/start-postgres";
import { startStandby, waitForStandby } from "@rollcall/testing/start-standby";
import pg from "pg";
import { expect, test } from "vitest";
import { addressOf } from "../../../test/support/address-of.ts";
import { DatabaseUnavailableError, OutcomeUnknownError } from "../../domain/errors.ts";
import { newUser } from "../new-user.contract.ts";
import { openPostgresUserRepository } from "./user-repository.ts";

const postgres = await sharedPostgres();

async function openThroughCutter(url: string, timeoutMs: number) {
  const cutter = await startCommitCutter(postgres.port);
  const address = { ...addressOf(url), port: cutter.port };
  const users = await openPostgresUserRepository({ address, timeoutMs });
  return {
    users,
    cutter,
    async [Symbol.asyncDispose]() {
      await users.close();
      await cutter[Symbol.asyncDispose]();
    },
  };
}

test("a commit whose answer was lost is acknowledged, once it is known to be there", async () => {
  const url = await postgres.createSchema();
  await using opened = await openThroughCutter(url, 60_000);
  const { users, cutter } = opened;
  const user = await users.insert(newUser());
  for (let round = 1; round <= 5; round++) {
    cutter.cut("after");
    const added = newUser();
    const writes = [users.insert(added), users.update(user.id, { name: `N${round}`, updatedAtMs: round }, round)];
    const [inserted, updated] = await Promise.all(writes);
    expect(inserted).toEqual(added);
    expect(updated).toMatchObject({ version: round + 1 });
    expect(cutter.cuts).toBe(round);
    await expect.poll(() => users.find(added.id)).toEqual(added);
  }
  expect(await postgres.query("SELECT count(*)::int AS users FROM users", url)).toEqual([{ users: 6 }]);
});

test("a commit that never arrived is refused, and nothing of it is there", async () => {
  const url = await postgres.createSchema();
  await using opened = await openThroughCutter(url, 60_000);
  const { users, cutter } = opened;
  await users.insert(newUser());
  for (let round = 1; round <= 5; round++) {
    cutter.cut("before");
    const refused: unknown = await users.insert(newUser()).catch((error) => error);
    expect(refused).toBeInstanceOf(DatabaseUnavailableError);
    expect(refused).not.toBeInstanceOf(OutcomeUnknownError);
    expect(cutter.cuts).toBe(round);
    await expect.poll(() => users.ping()).toBe(undefined);
  }
  expect(await postgres.query("SELECT count(*)::int AS users FROM users", url)).toEqual([{ users: 1 }]);
});

test.each(["before", "after"] as const)(
  "with the database away %s the commit, the outcome is unknown, and nobody is told otherwise",
  async (how) => {
    const url = await postgres.createSchema();
    await using opened = await openThroughCutter(url, 4_000);
    const { users, cutter } = opened;
    await users.insert(newUser());
    cutter.staysAway = true;
    cutter.cut(how);
    await expect(users.insert(newUser())).rejects.toThrow(OutcomeUnknownError);
    await expect(users.insert(newUser())).rejects.not.toThrow(OutcomeUnknownError);
    expect(cutter.cuts).toBe(1);
    const there = await postgres.query("SELECT count(*)::int AS users FROM users", url);
    expect(there).toEqual([{ users: how === "after" ? 2 : 1 }]);
  },
);

test("a commit that does not wait for its synchronous standby, since an operator cancelled it, is not acknowledged", async () => {
  await using primary = await startPostgres();
  const users = await openPostgresUserRepository({
    address: addressOf(await primary.createSchema()),
    timeoutMs: 3_000,
  });
  await using standby = await startStandby(primary, "standby");
  await waitForStandby(primary, "standby");
  await users.insert(newUser());
  standby.pause();
  const outcome = users.insert(newUser()).catch((error) => error);
  const cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
  await expect.poll(() => primary.query(cancel)).toHaveLength(1);
  expect(await outcome).toBeInstanceOf(OutcomeUnknownError);
  expect(primary.log()).toContain("canceling wait for synchronous replication due to user request");
  standby.resume();
  await users.close();
});

// The reason for `write-slot.ts`. If this test fails one day, PostgreSQL no longer reuses these numbers.
test("after a crash, pg_xact_status can report another transaction that got the same number", async () => {
  await using crashing = await startPostgres();
  await crashing.query("CREATE TABLE words (word text)");
  const client = new pg.Client(crashing.urlOf("postgres"));
  client.on("error", () => {});
  await client.connect();
  await client.query("BEGIN");
  const { rows } = await client.query("SELECT pg_current_xact_id()::text AS xid");
  await crashing.kill();
  await crashing.start();
  const xid = String(rows[0]?.xid);
  let next = "";
  while (next === "" || BigInt(next) < BigInt(xid)) {
    const [row] = await crashing.query(
      "INSERT INTO words VALUES ('other') RETURNING pg_current_xact_id()::text AS xid",
    );
    next = String(row?.xid);
  }
  expect(next).toBe(xid);
  expect(await crashing.query(`SELECT pg_xact_status('${xid}') AS status`)).toEqual([{ status: "committed" }]);
});

import { runFeed } from "@rollcall/testing/feed-run";
import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { withParts } from "@rollcall/testing/with-parts";
import { expect, test } from "vitest";
import { openPostgresUserRepository } from "../../src/repository/postgres/user-repository.ts";
import { openSqliteUserRepository } from "../../src/repository/sqlite/user-repository.ts";
import type { UserRepository } from "../../src/repository/user-repository.ts";
import { addressOf } from "../support/address-of.ts";
import { byIdAlone } from "./support/by-id-alone.ts";
import { delayCommits } from "./support/delay-commits.ts";
import { expectHits } from "./support/expect-hits.ts";

const seed = Number(process.env.FUZZ_SEED ?? 1);
const options = { seed, changes: 250, writers: 32, cutAfter: 40, kept: 60 };
const postgres = await sharedPostgres();

const openSqlite = async () => openSqliteUserRepository({ path: ":memory:" });
async function createPostgres(maxDelayMs?: number) {
  const url = await postgres.createSchema();
  const open = () => openPostgresUserRepository({ address: addressOf(url), timeoutMs: 60_000 });
  await (await open()).close();
  await postgres.query(delayCommits(maxDelayMs), url);
  return { open, query: (sql: string) => postgres.query(sql, url) };
}

test.each([
  ["SQLite", 1 as const, async () => openSqlite],
  ["two replicas of PostgreSQL", 2 as const, async () => (await createPostgres()).open],
])(
  `watchers of %s who are cut off and go on, or begin anew, miss nothing (FUZZ_SEED=${seed})`,
  async (_, replicas, make) => {
    const report = await runFeed({ ...options, replicas, open: await make() });
    expect(report.faults).toEqual([]);
    expectHits(report);
    // SQLite has one writer.
    expect(report.overtaken > 0).toBe(replicas === 2);
  },
);

test("control: whoever reads PostgreSQL's log by its numbers alone misses changes", async () => {
  // So long that others overtake it and are read before it, whatever the machine does meanwhile.
  const { open, query } = await createPostgres(100);
  const run = { ...options, kept: 1_000_000, replicas: 2 as const, open: async () => byIdAlone(await open(), query) };
  const { faults } = await runFeed(run);
  expect(faults.length).toBeGreaterThan(0);
});

/** Says of no change that it is gone, as a log that knows only the changes that it still has. */
function forgetful(real: UserRepository): UserRepository {
  const { changes } = real;
  const unknown = { keptBehind: "" };
  return withParts(real, {
    changes: withParts(changes, {
      head: async () => ({ ...(await changes.head()), ...unknown }),
      read: async (reading) => ({ ...(await changes.read(reading)), ...unknown }),
    }),
  });
}

test("control: a log that does not say what it has trimmed leaves gaps", async () => {
  const { faults } = await runFeed({ ...options, replicas: 1, open: async () => forgetful(await openSqlite()) });
  expect(faults.length).toBeGreaterThan(0);
});

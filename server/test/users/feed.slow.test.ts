import { hitsOfMatrix } from "@rollcall/testing/feed-hits";
import { MATRIX_WAYS, runFeed } from "@rollcall/testing/feed-run";
import { sharedPostgres } from "@rollcall/testing/shared-postgres";
import { expect, test } from "vitest";
import { openPostgresUserRepository } from "../../src/repository/postgres/user-repository.ts";
import { openSqliteUserRepository } from "../../src/repository/sqlite/user-repository.ts";
import { addressOf } from "../support/address-of.ts";
import { byIdAlone } from "./support/by-id-alone.ts";
import { delayCommits } from "./support/delay-commits.ts";
import { type LogFault, withLogFault } from "./support/faulty-logs.ts";

const seed = Number(process.env.FUZZ_SEED ?? 1);
const options = { seed, changes: 250, writers: 32, cutAfter: 40, kept: 60 };
/** Options of a run in which a fault should show, over HTTP/2 only. */
const few = {
  ...options,
  isFaultWanted: true,
  leastHits: { cutsAtRemovals: 1 },
  changes: 150,
  kept: 20,
  only: MATRIX_WAYS.filter((_, index) => index % 2 === 1),
};
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
    const report = await runFeed({ ...options, replicas, leastHits: hitsOfMatrix(replicas), open: await make() });
    expect(report.faults).toEqual([]);
    expect(report.missing).toEqual([]);
    expect(report.complete).toBeGreaterThan(0);
    // SQLite has only one writer.
    expect(report.overtaken > 0).toBe(replicas === 2);
  },
);

test("control: whoever reads PostgreSQL's log by its numbers alone misses changes", async () => {
  // The delay is so long that others overtake the change and are read before it, even on a busy machine.
  const { open, query } = await createPostgres(100);
  const { faults } = await runFeed({
    ...options,
    kept: 1_000_000,
    replicas: 2,
    isFaultWanted: true,
    open: async () => byIdAlone(await open(), query),
  });
  expect(faults.length).toBeGreaterThan(0);
});

// Controls for all promises except that of `progress`, which `watch.test.ts` and `client/test/idle-watch.slow.test.ts` test.
test.each<[LogFault, RegExp]>([
  ["is in no order", /came behind/],
  ["gives its last change again", /came behind/],
  ["passes some changes", /went from|was updated before|was removed, but not/],
  ["does not say what it has trimmed", /went from|was updated before|was removed, but not|users that are left/],
])("control: with a log that %s, a promise is broken", async (fault, broken) => {
  const open = async () => withLogFault(await openSqlite(), fault);
  const { faults } = await runFeed({ ...few, replicas: 1, open });
  expect(faults.join("\n")).toMatch(broken);
});

test("control: with a log that does not know what was just written, synced comes too early", async () => {
  const open = async () => withLogFault(await openSqlite(), "does not know what was just written");
  // A watcher that begins anew reads the users themselves, so nothing is trimmed.
  const { faults } = await runFeed({ ...options, kept: 1_000_000, replicas: 1, isFaultWanted: true, open });
  expect(faults.join("\n")).toMatch(/synced came before/);
});

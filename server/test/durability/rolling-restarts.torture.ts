import { expect, test } from "vitest";
import { databases } from "./support/databases.ts";
import { report, roundsOf, seedOf } from "./support/report.ts";
import { restartOneByOne } from "./support/rolling-restarts.ts";

test.each(databases)("two servers on one database of $name, restarted one by one, 20 rounds", async (kind) => {
  const rounds = roundsOf(20);
  const seed = seedOf();
  const startedAtMs = performance.now();
  const { failures, ...counts } = await restartOneByOne(kind, rounds, seed);
  const seconds = Math.round((performance.now() - startedAtMs) / 1_000);
  report(`Restarts one by one, ${kind.name}, seed ${seed}`, [{ ...counts, failures: failures.length, seconds }]);
  expect(failures).toEqual([]);
  expect(counts.hits).toBe(2 * rounds);
});

test.each(databases)("control: callers of servers of $name that do not end their calls see some fail", async (kind) => {
  const { failures } = await restartOneByOne(kind, 20, 1, "SIGKILL");
  expect(failures).not.toEqual([]);
});

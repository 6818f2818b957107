import { expect, test } from "vitest";
import { failoverRounds } from "./support/failover-rounds.ts";
import { seedOf } from "./support/report.ts";

test("a primary killed under 64 writers loses nothing acknowledged, with a synchronous standby that takes over", async () => {
  const seed = seedOf();
  const report = await failoverRounds({ rounds: 1, seed, synchronous: true });
  expect(report, `seed ${seed}`).toMatchObject({ rounds: 1, hits: 1, lost: [], doubled: [], faults: [] });
  // To watchers, a promotion is only a reset.
  expect(report).toMatchObject({ watchFaults: [] });
  expect(report.watchResets).toBeGreaterThanOrEqual(1);
});

test("control: an asynchronous standby lacks writes that were acknowledged", async () => {
  const { hits, lost, watchResets, watchFaults } = await failoverRounds({ rounds: 1, seed: 1, synchronous: false });
  expect(hits).toBe(1);
  expect(lost).not.toEqual([]);
  expect(watchFaults).toEqual([]);
  expect(watchResets).toBeGreaterThanOrEqual(1);
});

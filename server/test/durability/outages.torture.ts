import { expect, test } from "vitest";
import { outageRounds, WRITERS } from "./support/outage-rounds.ts";
import { report, roundsOf, seedOf } from "./support/report.ts";

test("PostgreSQL killed, stopped and paused under load, 20 cycles", async () => {
  const [rounds, seed] = [roundsOf(20), seedOf()];
  const outcome = await outageRounds({ rounds, seed });
  const { lost, unasked, strange, longestRefusalMs, longestReturnMs, ...counts } = outcome;
  report(`outages of PostgreSQL under ${WRITERS} writers, seed ${seed}`, [
    {
      ...{ rounds, ...counts, lost: lost.length, unasked: unasked.length, strange: strange.length },
      ...{ longestRefusalMs: Math.round(longestRefusalMs), longestReturnMs: Math.round(longestReturnMs) },
    },
  ]);
  expect(outcome).toMatchObject({ hits: rounds, lost: [], unasked: [], strange: [] });
  expect(longestRefusalMs).toBeLessThan(1_000);
  expect(longestReturnMs).toBeLessThan(5_000);
});

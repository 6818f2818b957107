import { expect, test } from "vitest";
import { outageRounds } from "./support/outage-rounds.ts";
import { figuresOf, report, roundsOf, seedOf } from "./support/report.ts";
import { WRITERS } from "./support/write-load.ts";

test("PostgreSQL killed, paused, stopped and restarted under load, 20 cycles", async () => {
  const [rounds, seed] = [roundsOf(20), seedOf()];
  const outcome = await outageRounds({ rounds, seed });
  report(`Outages of PostgreSQL under ${WRITERS} writers, seed ${seed}`, [figuresOf(outcome)]);
  expect(outcome).toMatchObject({ rounds, hits: rounds, lost: [], doubled: [], faults: [] });
  expect(outcome.acknowledged).toBeGreaterThan(rounds);
  expect(outcome.longestRefusalMs).toBeGreaterThan(0);
  expect(outcome.longestRefusalMs).toBeLessThan(1_000);
  expect(outcome.longestReturnMs).toBeLessThan(5_000);
});

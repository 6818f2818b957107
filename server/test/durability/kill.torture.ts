import { expect, test } from "vitest";
import { databases } from "./support/databases.ts";
import { killRounds, WRITERS } from "./support/kill-rounds.ts";
import { report, roundsOf, seedOf } from "./support/report.ts";

test.each(databases)("kill -9 at random under 64 writers of $name, 200 rounds", async (kind) => {
  const rounds = roundsOf(200);
  const seed = seedOf();
  const outcome = await killRounds(kind, { rounds, seed });
  const { lost, doubled, faults, longestRecoveryMs, ...counts } = outcome;
  report(`kill -9 under ${WRITERS} writers, ${kind.name}, seed ${seed}`, [
    {
      ...counts,
      lost: lost.length,
      doubled: doubled.length,
      faults: faults.length,
      longestRecoveryMs: Math.round(longestRecoveryMs),
    },
  ]);
  expect(outcome).toMatchObject({ rounds, hits: rounds, lost: [], doubled: [], faults: [] });
  expect(outcome.mostUnlogged).toBeLessThanOrEqual(WRITERS);
  // The kills came at both sides of a commit.
  expect(outcome.unheard).toBeGreaterThan(0);
  expect(outcome.unmade).toBeGreaterThan(0);
});

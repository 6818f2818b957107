import { expect, test } from "vitest";
import { failoverRounds } from "./support/failover-rounds.ts";
import { figuresOf, report, roundsOf, seedOf } from "./support/report.ts";

test.each([true, false])(
  "primaries killed under load, and their standbys promoted; synchronous: %s",
  async (synchronous) => {
    const [rounds, seed] = [roundsOf(10), seedOf()];
    const outcome = await failoverRounds({ rounds, seed, synchronous });
    report(`Failover, ${synchronous ? "synchronous" : "control: asynchronous"}, seed ${seed}`, [figuresOf(outcome)]);
    expect(outcome).toMatchObject({ rounds, hits: rounds, faults: [], watchFaults: [] });
    expect(outcome.watchResets).toBeGreaterThanOrEqual(rounds);
    if (synchronous) expect(outcome).toMatchObject({ lost: [], doubled: [] });
    else expect(outcome.lost).not.toEqual([]);
  },
);

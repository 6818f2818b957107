import { expect, test } from "vitest";
import { databases } from "./support/databases.ts";
import { CLIENTS, runFaultyHistory } from "./support/history-run.ts";
import { report, roundsOf, seedOf } from "./support/report.ts";

const FAULTS = 5;

test.each(databases.flatMap((kind) => [1, 2].map((servers) => ({ name: kind.name, kind, servers }))))(
  `histories of ${CLIENTS} clients of $servers servers on $name, with kills`,
  async ({ name, kind, servers }) => {
    const rounds = roundsOf(20);
    const firstSeed = seedOf();
    const total = { rounds, faults: 0, hits: 0, calls: 0, unknown: 0, states: 0, contradictions: 0 };
    for (let seed = firstSeed; seed < firstSeed + rounds; seed++) {
      const judgement = await runFaultyHistory(kind, { servers, faults: FAULTS, seed });
      expect(judgement.contradictions, `seed ${seed}`).toEqual([]);
      expect(judgement.hits).toBe(FAULTS);
      total.faults += FAULTS;
      for (const column of ["hits", "calls", "unknown", "states"] as const) total[column] += judgement[column];
    }
    report(`Histories, ${name}, ${servers} servers, seeds from ${firstSeed}`, [total]);
    expect(total.unknown).toBeGreaterThan(0);
  },
);

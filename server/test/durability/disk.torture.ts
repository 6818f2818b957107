import { expect, test } from "vitest";
import { databases } from "./support/databases.ts";
import { diskRounds } from "./support/disk-rounds.ts";
import type { DiskFault } from "./support/failing-disk.ts";
import { report, roundsOf, seedOf } from "./support/report.ts";

const faults: readonly DiskFault[] = ["full", "write", "sync"];

test.for(databases.flatMap((kind) => faults.map((fault) => ({ name: kind.name, kind, fault }))))(
  "writers of $name meet a disk that fails: $fault",
  async ({ name, kind, fault }, { skip }) => {
    const rounds = roundsOf(20);
    const seed = seedOf();
    const outcome = await diskRounds(kind, fault, rounds, seed);
    if (!outcome) return skip("needs Linux and a C compiler, to make a disk fail");
    const { lost, doubled, faults: damages, longestRecoveryMs, ...counts } = outcome;
    const figures = {
      ...counts,
      longestRecoveryMs: Math.round(longestRecoveryMs),
      lost: lost.length,
      doubled: doubled.length,
      faults: damages.length,
    };
    report(`Disk that fails (${fault}), ${name}, seed ${seed}`, [figures]);
    expect(outcome).toMatchObject({ hits: rounds, notReady: rounds, recovered: rounds });
    expect(outcome).toMatchObject({ lost: [], doubled: [], faults: [] });
  },
);

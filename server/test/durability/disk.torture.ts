import { expect, test } from "vitest";
import { databases, postgresql } from "./support/databases.ts";
import { diskRounds } from "./support/disk-rounds.ts";
import type { DiskFault } from "./support/failing-disk.ts";
import { figuresOf, report, roundsOf, seedOf } from "./support/report.ts";

const faults: readonly DiskFault[] = ["full", "write", "sync"];
const cells = databases.flatMap((kind) =>
  Object.keys(kind.places).flatMap((place) => faults.map((fault) => ({ name: kind.name, kind, fault, place }))),
);

test.for(cells)(
  "writers of $name meet a disk that fails: $fault of $place",
  async ({ name, kind, fault, place }, { skip }) => {
    const [rounds, seed] = [roundsOf(20), seedOf()];
    const outcome = await diskRounds(kind, { rounds, seed, fault, place });
    if (!outcome) return skip("needs Linux and a C compiler, to make a disk fail");
    report(`Disk that fails (${fault} of ${place}), ${name}, seed ${seed}`, [figuresOf(outcome)]);
    expect(outcome).toMatchObject({ hits: rounds, notReady: rounds, recovered: rounds - outcome.killed });
    expect(outcome).toMatchObject({ lost: [], doubled: [], faults: [] });
  },
);

test("control: a server of PostgreSQL that acknowledges early loses some", async ({ skip }) => {
  const faulty = {
    program: "server/test/durability/support/faulty-server-main.ts",
    env: { FAULT: "early" },
  };
  const outcome = await diskRounds(postgresql, { rounds: 1, seed: 1, fault: "full", place: "log", ...faulty });
  if (!outcome) return skip("needs Linux and a C compiler, to make a disk fail");
  expect(outcome.lost).not.toEqual([]);
});

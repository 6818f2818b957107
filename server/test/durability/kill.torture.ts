import { expect, test } from "vitest";
import { databases } from "./support/databases.ts";
import type { Fault } from "./support/faulty-repository.ts";
import { killRounds } from "./support/kill-rounds.ts";
import { figuresOf, report, roundsOf, seedOf } from "./support/report.ts";
import { WRITERS } from "./support/write-load.ts";

test.each(databases)("kill -9 at random under 64 writers of $name, 200 rounds", async (kind) => {
  const rounds = roundsOf(200);
  const seed = seedOf();
  const outcome = await killRounds(kind, { rounds, seed });
  report(`kill -9 under ${WRITERS} writers, ${kind.name}, seed ${seed}`, [figuresOf(outcome)]);
  expect(outcome).toMatchObject({ rounds, hits: rounds, lost: [], doubled: [], faults: [] });
  expect(outcome.mostUnlogged).toBeLessThanOrEqual(WRITERS);
  // Some kills came before a commit and some after one.
  expect(outcome.unheard).toBeGreaterThan(0);
  expect(outcome.unmade).toBeGreaterThan(0);
});

const controls: { fault: Fault; column: "lost" | "doubled" }[] = [
  { fault: "early", column: "lost" },
  { fault: "forgetful", column: "doubled" },
];

test.each(databases.flatMap((kind) => controls.map((control) => ({ name: kind.name, kind, ...control }))))(
  "control: of a server of $name that is $fault, kill -9 leaves writes $column",
  async ({ kind, fault, column }) => {
    const program = "server/test/durability/support/faulty-server-main.ts";
    const outcome = await killRounds(kind, { rounds: 20, seed: 1, program, env: { FAULT: fault } });
    expect(outcome[column]).not.toEqual([]);
  },
);

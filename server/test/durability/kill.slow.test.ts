import { expect, test } from "vitest";
import { databases } from "./support/databases.ts";
import type { Fault } from "./support/faulty-repository.ts";
import { killRounds } from "./support/kill-rounds.ts";
import { seedOf } from "./support/report.ts";
import { WRITERS } from "./support/write-load.ts";

const ROUNDS = 2;

test.each(databases)(
  "kill -9 under 64 writers loses nothing acknowledged of $name, and retries double nothing",
  async (kind) => {
    const seed = seedOf();
    const report = await killRounds(kind, { rounds: ROUNDS, seed });
    expect(report, `seed ${seed}`).toMatchObject({ rounds: ROUNDS, hits: ROUNDS, lost: [], doubled: [], faults: [] });
    expect(report.acknowledged).toBeGreaterThanOrEqual(ROUNDS);
    // Only the log lines of the event loop's last turn may be lost. A turn ends at most the calls that are under way.
    expect(report.mostUnlogged).toBeLessThanOrEqual(WRITERS);
  },
);

test.each<[Fault, "lost" | "doubled"]>([
  ["early", "lost"],
  ["forgetful", "doubled"],
])("control: of a server that is %s, kill -9 leaves writes %s", async (fault, column) => {
  const [sqlite] = databases;
  if (!sqlite) throw new Error("no database");
  const program = "server/test/durability/support/faulty-server-main.ts";
  const report = await killRounds(sqlite, { rounds: 40, seed: 1, program, endsAt: column, env: { FAULT: fault } });
  expect(report[column]).not.toEqual([]);
});

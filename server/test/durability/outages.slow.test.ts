import { expect, test } from "vitest";
import { outageRounds } from "./support/outage-rounds.ts";
import { outages } from "./support/outages.ts";
import { seedOf } from "./support/report.ts";

test("PostgreSQL taken away under 64 writers loses nothing acknowledged, and makes nothing that was refused", async () => {
  const rounds = Object.keys(outages).length;
  const seed = seedOf();
  const report = await outageRounds({ rounds, seed, mostAwayMs: 200 });
  expect(report, `seed ${seed}`).toMatchObject({ rounds, hits: rounds, lost: [], doubled: [], faults: [] });
});

test("control: a database that does not wait for its disk loses some when it is killed", async () => {
  const { lost } = await outageRounds({
    // Several rounds, because the log may have been written just before a kill.
    rounds: 20,
    endsAtLoss: true,
    seed: 1,
    mostAwayMs: 1,
    ways: ["killed"],
    // The setting cannot be in place from the start: the server would refuse to start with it.
    async onOpened(postgres) {
      await postgres.query("ALTER SYSTEM SET synchronous_commit = off");
      // By default, the log is written so often that a kill need not lose anything.
      await postgres.query("ALTER SYSTEM SET wal_writer_delay = '10s'");
      await postgres.query("SELECT pg_reload_conf()");
    },
  });
  expect(lost).not.toEqual([]);
});

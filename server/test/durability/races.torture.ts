import { startProcess } from "@rollcall/testing/start-process";
import { test } from "vitest";
import { connectUsers } from "./support/connect-users.ts";
import { databases } from "./support/databases.ts";
import { RACERS } from "./support/race.ts";
import { raceRounds } from "./support/race-rounds.ts";
import { report, roundsOf } from "./support/report.ts";

test.each(databases)(
  "1,000 rounds of races 100 ways to two servers on one database of $name",
  async ({ name, share }) => {
    await using database = await share();
    const { env } = database;
    await using first = await startProcess({ env });
    await using second = await startProcess({ env });
    const rounds = roundsOf(1_000);
    const startedAtMs = performance.now();
    await raceRounds([...connectUsers(first), ...connectUsers(second)], rounds);
    const seconds = Math.round((performance.now() - startedAtMs) / 1_000);
    report(`Races, ${name}, two servers`, [
      { rounds, calls: 3 * RACERS * rounds, winnersPerRace: 1, rowsPerRace: 1, lostUpdates: 0, seconds },
    ]);
  },
);

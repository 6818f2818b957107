import { setTimeout as delay } from "node:timers/promises";
import { createRandom } from "@rollcall/testing/random";
import type { PostgresServer } from "@rollcall/testing/start-postgres";
import { startProcess } from "@rollcall/testing/start-process";
import { addAudit, audit, type Findings, noFindings } from "./audit.ts";
import { connectUsers, type UsersClient } from "./connect-users.ts";
import { postgresql } from "./databases.ts";
import { outages } from "./outages.ts";
import { WriteLoad } from "./write-load.ts";

/** Maximum number of writes between two outages. */
const MOST_WRITES = 1_000;
/** Maximum number of outages for each requested round. */
const MOST_OUTAGES = 5;

export interface OutageReport extends Findings {
  rounds: number;
  /** Outages in which writes failed. */
  hits: number;
  acknowledged: number;
  refused: number;
  unknown: number;
  faults: string[];
  /** Longest time until the server answered `unavailable`, from its own log, in milliseconds. */
  longestRefusalMs: number;
  /** Longest time until a caller got the failure. The caller may be slow because the machine is busy. */
  longestFailureMs: number;
  /** Longest time from the database's return to an answer. */
  longestReturnMs: number;
}

export interface OutageRoundsOptions {
  rounds: number;
  seed: number;
  /** Names of {@link outages} to use, in turn. Default all. */
  ways?: readonly string[];
  /** Maximum time for which the database stays away after callers have noticed, in milliseconds. Default 1,500. */
  mostAwayMs?: number;
  /** Whether the first lost write ends the rounds early, for controls. */
  endsAtLoss?: boolean;
  /** Called when the server has opened the database. */
  onOpened?: (postgres: PostgresServer) => Promise<void>;
}

/** Takes a PostgreSQL server away from 64 writers, again and again, and compares after each outage. */
export async function outageRounds(options: OutageRoundsOptions): Promise<OutageReport> {
  const { rounds, seed, ways = Object.keys(outages), mostAwayMs = 1_500, endsAtLoss = false, onOpened } = options;
  const random = createRandom(seed);
  await using database = await postgresql.start();
  const { postgres } = database;
  await using server = await startProcess({ env: database.env });
  await onOpened?.(postgres);
  const clients = connectUsers(server);
  const load = new WriteLoad(random);
  const report: OutageReport = {
    ...{ rounds: 0, hits: 0, acknowledged: 0, refused: 0, unknown: 0, ...noFindings() },
    ...{ faults: [], longestRefusalMs: 0, longestFailureMs: 0, longestReturnMs: 0 },
  };
  for (let made = 1; report.rounds < rounds && !(endsAtLoss && report.lost.length > 0); made++) {
    load.start(clients);
    await load.untilAcknowledged(1 + random.below(MOST_WRITES));
    const failedBefore = load.failed;
    const way = ways[report.rounds % ways.length] as string;
    await outages[way]?.(postgres, random);
    if (postgres.pid === undefined || way === "paused") {
      // A short pause only delays calls.
      await load.untilFailed(failedBefore + 1);
      await delay(random.below(mostAwayMs));
    }
    await postgres.start();
    postgres.resume();
    report.longestReturnMs = Math.max(report.longestReturnMs, await load.untilServed());
    await load.stop();
    // On a busy machine, the server may not run during a short outage, and so may miss it. Then the round does not
    // count.
    const isHit = load.failed > failedBefore;
    if (isHit) report.hits += 1;
    if (isHit || made >= MOST_OUTAGES * rounds) report.rounds += 1;
    addAudit(report, await audit(clients[0] as UsersClient, load.writers));
    report.faults.push(...(await database.findFaults()));
  }
  return { ...report, ...load.figures(), longestRefusalMs: longestRefusalOf(server.output()) };
}

function longestRefusalOf(log: string): number {
  const calls = log.matchAll(/"code":"unavailable","durationMs":([\d.]+)/g);
  return calls.reduce((longest, [, durationMs]) => Math.max(longest, Number(durationMs)), 0);
}

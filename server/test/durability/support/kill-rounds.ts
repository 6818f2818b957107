import { createRandom } from "@rollcall/testing/random";
import { type ProcessOptions, type ServerProcess, startProcess } from "@rollcall/testing/start-process";
import { addAudit, audit, type Findings, noFindings } from "./audit.ts";
import { connectUsers } from "./connect-users.ts";
import type { DatabaseKind } from "./databases.ts";
import { WRITERS } from "./write-load.ts";
import { Writer } from "./writer.ts";

export interface KillReport extends Findings {
  rounds: number;
  /** Kills during writes, after others had been acknowledged. */
  hits: number;
  acknowledged: number;
  /** Findings of the database's own check after a kill. */
  faults: string[];
  /** Largest number of acknowledged creates without a line in the access log, in one round. */
  mostUnlogged: number;
  /** Longest time from a start after a kill until the whole directory was read. */
  longestRecoveryMs: number;
}

/** Maximum number of kills for each requested round. */
const MOST_KILLS = 5;

export interface KillRoundsOptions {
  rounds: number;
  seed: number;
  /** Maximum number of acknowledged writes in a round before its kill. Default 600. */
  mostWrites?: number;
  /** Program to run instead of the server's own, for controls. */
  program?: ProcessOptions["program"];
  /** Finding that ends the rounds early. Default: either. A control looks for one of them. */
  endsAt?: "lost" | "doubled";
  /** Further settings of the server. */
  env?: Record<string, string>;
}

/**
 * Kills a server by SIGKILL at a random moment under {@link WRITERS} clients that create, update and delete, round
 * after round on the same database. After each round, compares the acknowledged writes with the data that is there.
 */
export async function killRounds(
  { start }: DatabaseKind,
  { rounds, seed, mostWrites = 600, program, endsAt, env }: KillRoundsOptions,
): Promise<KillReport> {
  await using database = await start();
  const random = createRandom(seed);
  const writers = Array.from({ length: WRITERS }, (_, number) => new Writer(`w${number}`));
  const report: KillReport = {
    rounds: 0,
    hits: 0,
    acknowledged: 0,
    ...noFindings(),
    faults: [],
    mostUnlogged: 0,
    longestRecoveryMs: 0,
  };
  for (let kills = 0; ; kills++) {
    const startedAtMs = performance.now();
    await using server = await startProcess({ env: { ...database.env, ...env }, program });
    const clients = connectUsers(server);
    addAudit(report, await audit(clients[0] as (typeof clients)[0], writers));
    report.faults.push(...(await database.findFaults()));
    if (kills > 0) {
      report.longestRecoveryMs = Math.max(report.longestRecoveryMs, performance.now() - startedAtMs);
    }
    const found = endsAt ? report[endsAt] : [...report.lost, ...report.doubled];
    if (report.rounds === rounds || found.length > 0) return report;
    const before = new Set(writers.flatMap(({ users }) => [...users.keys()]));
    const target = 1 + random.below(mostWrites);
    let acknowledged = 0;
    const work = async (writer: Writer, number: number) => {
      while (await writer.write(clients[number % clients.length] as (typeof clients)[0], random)) {
        acknowledged += 1;
        // A kill without delay comes while the server still reads further calls. A later one may come at any point.
        if (acknowledged === target) setTimeout(() => server.process.kill("SIGKILL"), random.below(8));
      }
    };
    await Promise.all(writers.map(work));
    await server.kill();
    await server.closed;
    report.acknowledged += acknowledged;
    // On a busy machine all answers may already have been sent. Then the round does not count.
    const isHit = writers.some(({ pending }) => pending);
    if (isHit) report.hits += 1;
    if (isHit || kills >= MOST_KILLS * rounds) report.rounds += 1;
    const created = writers.flatMap(({ users }) => [...users.keys()]).filter((id) => !before.has(id));
    report.mostUnlogged = Math.max(report.mostUnlogged, countUnlogged(created, server));
  }
}

function countUnlogged(ids: readonly string[], server: ServerProcess): number {
  const logged = new Set([...server.output().matchAll(/"resource":"([^"]+)"/g)].map(([, id]) => id));
  return ids.filter((id) => !logged.has(id)).length;
}

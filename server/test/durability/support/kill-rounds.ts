import { createRandom } from "@rollcall/testing/random";
import { type ProcessOptions, type ServerProcess, startProcess } from "@rollcall/testing/start-process";
import { addAudit, audit, type Findings, noFindings } from "./audit.ts";
import { connectUsers } from "./connect-users.ts";
import type { DatabaseKind } from "./databases.ts";
import { WRITERS } from "./write-load.ts";
import { Writer } from "./writer.ts";

export interface KillReport extends Findings {
  rounds: number;
  /** Kills that came while writes were under way, after others had been acknowledged. */
  hits: number;
  acknowledged: number;
  /** Findings of the database's own check after a kill. */
  faults: string[];
  /** Most acknowledged creates of one round without a line in the access log. */
  mostUnlogged: number;
  /** Longest time from a start after a kill to an answer of the whole directory. */
  longestRecoveryMs: number;
}

/** Kills for each round that is wanted, at most. */
const MOST_KILLS = 5;

export interface KillRoundsOptions {
  rounds: number;
  seed: number;
  /** Most acknowledged writes of a round before its kill. Default 600. */
  mostWrites?: number;
  /** Another program than the server's own, for controls. */
  program?: ProcessOptions["program"];
  /** Finding that ends the rounds early. Default either; a control looks for one. */
  endsAt?: "lost" | "doubled";
  /** Further settings of the server. */
  env?: Record<string, string>;
}

/**
 * Kills a server by SIGKILL at a random moment under {@link WRITERS} clients that create, update and delete, round after
 * round on the same database, and compares after each what was acknowledged with what is there.
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
        // At once is while the server reads further calls; later is anywhere.
        if (acknowledged === target) setTimeout(() => server.process.kill("SIGKILL"), random.below(8));
      }
    };
    await Promise.all(writers.map(work));
    await server.kill();
    await server.closed;
    report.acknowledged += acknowledged;
    // On a busy machine all answers may be on their way by then: that is no round.
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

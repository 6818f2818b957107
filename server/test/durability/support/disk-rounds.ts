import { setTimeout as delay } from "node:timers/promises";
import { createRandom } from "@rollcall/testing/random";
import { type ProcessOptions, startProcess } from "@rollcall/testing/start-process";
import { until } from "@rollcall/testing/start-server";
import { addAudit, audit, type Findings, noFindings } from "./audit.ts";
import { connectUsers, type UsersClient } from "./connect-users.ts";
import type { DatabaseKind } from "./databases.ts";
import { createFailingDisk, type DiskFault } from "./failing-disk.ts";
import { WriteLoad } from "./write-load.ts";

/** Maximum number of writes before the disk fails. */
const MOST_WRITES = 300;
/** Maximum time for which the disk goes on failing after callers and probes have noticed, in milliseconds. */
const MOST_FAULT_MS = 600;

export interface DiskReport extends Findings {
  rounds: number;
  /** Rounds in which the fault occurred and callers saw it. */
  hits: number;
  /** Number of failed system calls. */
  failedCalls: number;
  acknowledged: number;
  refused: number;
  unknown: number;
  /** Rounds in which `/readyz` reported the fault. */
  notReady: number;
  /** Rounds in which the database server stopped and had to be started by hand. */
  stopped: number;
  /** Rounds after which the same server process continued. */
  recovered: number;
  /** Rounds in which the server was killed while its disk failed. */
  killed: number;
  faults: string[];
  /** Longest time from the disk's recovery, or the database server's start, to an answer, in milliseconds. */
  longestRecoveryMs: number;
}

export interface DiskRoundsOptions {
  rounds: number;
  seed: number;
  fault: DiskFault;
  /** Name of the files that fail, one of {@link DatabaseKind.places}. */
  place: string;
  /** Program to run instead of the server's own, for controls, and its settings. */
  program?: ProcessOptions["program"];
  env?: Readonly<Record<string, string>>;
}

/**
 * Makes the disk of a database fail under 64 writers, round after round. In half of the rounds, the server is killed
 * during the failure. Returns undefined on a machine where no disk can be made to fail.
 */
export async function diskRounds(kind: DatabaseKind, options: DiskRoundsOptions): Promise<DiskReport | undefined> {
  const { rounds, seed, fault, place, program, env } = options;
  using disk = createFailingDisk(kind.places[place] as string);
  if (!disk) return undefined;
  await using database = await kind.start({ env: disk.env });
  const random = createRandom(seed);
  const load = new WriteLoad(random);
  const report: DiskReport = {
    ...{ rounds: 0, hits: 0, failedCalls: 0, acknowledged: 0, refused: 0, unknown: 0, notReady: 0, stopped: 0 },
    ...{ recovered: 0, killed: 0, ...noFindings(), faults: [], longestRecoveryMs: 0 },
  };
  const compare = async (client: UsersClient) => {
    addAudit(report, await audit(client, load.writers));
    report.faults.push(...(await database.findFaults()));
  };
  for (; report.rounds < rounds; report.rounds++) {
    await using server = await startProcess({ env: { ...database.env, ...env }, program });
    const clients = connectUsers(server);
    await compare(clients[0] as UsersClient);
    load.start(clients);
    await load.untilAcknowledged(1 + random.below(MOST_WRITES));
    const failedBefore = load.failed;
    disk.fail(fault);
    if (place === "data") await database.checkpoint();
    await load.untilFailed(failedBefore + 1);
    await until(() => disk.hits() > report.failedCalls);
    report.hits += 1;
    report.failedCalls = disk.hits();
    // Probes may be answered with a result that is up to a second old.
    while ((await readiness(server.url)).status === 200);
    const { status, body } = await readiness(server.url);
    if (status === 503 && /"database-un(writable|available)"/.test(body)) report.notReady += 1;
    // A database server that tries to recover in vain stops in this time.
    await delay(random.below(MOST_FAULT_MS));
    const isKilled = random.isOnce(2);
    if (isKilled) {
      // Half of the kills come after all writers have their answers.
      if (random.isOnce(2)) await load.stop();
      await server.kill();
    }
    disk.recover();
    if (isKilled) {
      await load.stop();
      report.killed += 1;
      if (await database.revive()) report.stopped += 1;
      await database.untilServing();
      continue;
    }
    let startedAtMs = performance.now();
    while ((await readiness(server.url)).status !== 200) {
      if (!(await database.revive())) continue;
      startedAtMs = performance.now();
      report.stopped += 1;
    }
    await load.untilServed();
    report.longestRecoveryMs = Math.max(report.longestRecoveryMs, performance.now() - startedAtMs);
    report.recovered += 1;
    await load.stop();
    // The first comparison is with the server that has met the fault. The next start compares with the data on the
    // disk.
    await compare(clients[0] as UsersClient);
  }
  await using server = await startProcess({ env: database.env });
  await compare(connectUsers(server)[0] as UsersClient);
  return { ...report, ...load.figures() };
}

async function readiness(url: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, body: await response.text() };
}

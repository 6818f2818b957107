import { createRandom } from "@rollcall/testing/random";
import { startProcess } from "@rollcall/testing/start-process";
import { audit } from "./audit.ts";
import { connectUsers, type UsersClient } from "./connect-users.ts";
import type { DatabaseKind } from "./databases.ts";
import { createFailingDisk, type DiskFault } from "./failing-disk.ts";
import { Writer } from "./writer.ts";

const WRITERS = 64;

export interface DiskReport {
  rounds: number;
  /** Rounds in which the fault was met, and a caller saw it. */
  hits: number;
  /** Calls of the system that have failed. */
  failedCalls: number;
  acknowledged: number;
  /** Rounds in which `/readyz` said what is wrong. */
  notReady: number;
  /** Rounds after which the server went on by itself. */
  recovered: number;
  /** Writes without an answer that were made all the same. */
  unheard: number;
  lost: string[];
  doubled: string[];
  faults: string[];
  longestRecoveryMs: number;
}

/** Makes the disk of a database fail under {@link WRITERS} clients, round after round. Undefined where nothing can. */
export async function diskRounds(
  { start }: DatabaseKind,
  fault: DiskFault,
  rounds: number,
  seed: number,
): Promise<DiskReport | undefined> {
  await using database = await start();
  using disk = createFailingDisk("users.db");
  if (!disk) return undefined;
  const random = createRandom(seed);
  const report: DiskReport = {
    rounds: 0,
    hits: 0,
    failedCalls: 0,
    acknowledged: 0,
    notReady: 0,
    recovered: 0,
    unheard: 0,
    lost: [],
    doubled: [],
    faults: [],
    longestRecoveryMs: 0,
  };
  const writers = Array.from({ length: WRITERS }, (_, number) => new Writer(`w${number}`));
  const compare = async (client: UsersClient) => {
    const { lost, doubled, unheard } = await audit(client, writers);
    report.lost.push(...lost);
    report.doubled.push(...doubled);
    report.unheard += unheard;
    report.faults.push(...(await database.findFaults()));
  };
  for (; report.rounds < rounds; report.rounds++) {
    await using server = await startProcess({ env: { ...database.env, ...disk.env } });
    const clients = connectUsers(server);
    const clientOf = (number: number) => clients[number % clients.length] as UsersClient;
    await compare(clientOf(0));
    const target = 1 + random.below(300);
    let acknowledged = 0;
    await Promise.all(
      writers.map(async (writer, number) => {
        while (await writer.write(clientOf(number), random)) {
          acknowledged += 1;
          if (acknowledged === target) disk.fail(fault);
        }
      }),
    );
    report.acknowledged += acknowledged;
    if (disk.hits() > report.failedCalls && writers.some(({ pending }) => pending)) report.hits += 1;
    report.failedCalls = disk.hits();
    const { status, body } = await readiness(server.url);
    if (status === 503 && /"database-un(writable|available)"/.test(body)) report.notReady += 1;
    disk.recover();
    const startedAtMs = performance.now();
    let isReady = false;
    while (!isReady) isReady = (await readiness(server.url)).status === 200;
    report.recovered += 1;
    report.longestRecoveryMs = Math.max(report.longestRecoveryMs, performance.now() - startedAtMs);
    // Once on the server that has met the fault, and once, at the next start, on what the disk has.
    await compare(clientOf(0));
  }
  await using server = await startProcess({ env: database.env });
  await compare(connectUsers(server)[0] as UsersClient);
  return report;
}

async function readiness(url: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, body: await response.text() };
}

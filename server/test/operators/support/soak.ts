/** Mixed load and faults in phases, and the sockets, descriptors and memory of the server after each phase. */
import { setTimeout as delay } from "node:timers/promises";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { startMeasuredServer } from "../../hardening/support/measured-server.ts";
import { breakOff, connectAll, type SoakTarget, type Work } from "./soak-work.ts";

/** Longest wait until the server has closed all connections that a phase's clients have closed, in milliseconds. */
const SETTLE_MS = 60_000;
/** Admission options for a busy machine: calls may wait for long, and are not refused. */
const PATIENT = { maxBurstWaitMs: 60_000, maxStandingWaitMs: 60_000, maxLoopDelayMs: 60_000 };

export interface SoakOptions {
  /** Number of measured phases, after one that warms up. */
  readonly phases: number;
  /** Returns whether a phase is over, after this number of rounds and this time. */
  readonly isPhaseOver: (rounds: number, elapsedMs: number) => boolean;
  /** Share of the time that is spent on calls, up to 1; the rest is pauses. */
  readonly share: number;
  /** Path of the database file. */
  readonly databasePath: string;
  /**
   * Bytes that the server keeps for each call. If set, clients also leave a connection open in each round. Default:
   * neither.
   */
  readonly leakedBytesPerCall?: number;
  /** Called with the sample of each phase when the phase is over. */
  readonly onSample?: (sample: SoakSample) => void;
}

/** State of the server after a phase, when its clients are gone. */
export interface SoakSample {
  /** Memory in use after a garbage collection, in bytes. */
  readonly heapBytes: number;
  readonly residentBytes: number;
  readonly sockets: number;
  readonly descriptors: number;
  readonly calls: number;
  readonly rounds: number;
}

export interface SoakResult {
  readonly samples: readonly SoakSample[];
  /** Descriptions of the calls that should have succeeded and did not. */
  readonly failures: readonly string[];
}

/** Runs the phases one after the other against one server. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { phases, databasePath, leakedBytesPerCall } = options;
  const isLeaking = leakedBytesPerCall !== undefined;
  const authority = await createCertificateAuthority("Soak CA");
  const issue = (commonName: string) => authority.issue({ commonName, hosts: ["localhost", "127.0.0.1"] });
  const certificates = [await issue("one"), await issue("other")] as const;
  await using server = await startMeasuredServer({
    databasePath,
    tls: certificates[0],
    dropsLog: true,
    admission: PATIENT,
    ...(isLeaking && { leaksLog: true, leakedBytes: leakedBytesPerCall }),
  });
  const target = { ...server, ca: authority.cert };
  const before = (await server.openHandles()).sockets;
  const failures: string[] = [];
  const samples: SoakSample[] = [];
  let leftOpen = 0;
  for (let phase = 0; phase <= phases; phase++) {
    const work = await runPhase(target, options, isLeaking);
    failures.push(...work.failures);
    await server.replaceTls(certificates[phase % 2 === 0 ? 1 : 0]);
    leftOpen += isLeaking ? work.rounds : 0;
    await waitUntil(async () => (await server.openHandles()).sockets <= before + leftOpen);
    const { sockets, descriptors } = await server.openHandles();
    const heapBytes = await server.memoryBytes();
    const residentBytes = await server.residentBytes();
    const { calls, rounds } = work;
    if (phase === 0) continue;
    const sample = { heapBytes, residentBytes, sockets, descriptors, calls, rounds };
    samples.push(sample);
    options.onSample?.(sample);
  }
  return { samples, failures };
}

/** Makes rounds of calls and faults until the phase is over, and closes its clients. */
async function runPhase(
  target: SoakTarget,
  { isPhaseOver, share }: SoakOptions,
  leavesConnections: boolean,
): Promise<Work & { rounds: number }> {
  const work: Work = { calls: 0, failures: [] };
  const beganMs = performance.now();
  let rounds = 0;
  using clients = connectAll(target, work);
  while (!isPhaseOver(rounds, performance.now() - beganMs)) {
    const roundMs = performance.now();
    await clients.round();
    await breakOff(target, leavesConnections);
    rounds += 1;
    if (share < 1) await delay((performance.now() - roundMs) * (1 / share - 1));
  }
  return { ...work, rounds };
}

async function waitUntil(check: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + SETTLE_MS;
  while (!(await check()) && performance.now() < endMs) await delay(20);
}

/**
 * Returns the growth per phase: the median of the slopes between any two phases, which a single outlier does not
 * change.
 */
export function slopeOf(samples: readonly SoakSample[], read: (sample: SoakSample) => number): number {
  const slopes = samples.flatMap((one, i) =>
    samples.slice(i + 1).map((other, distance) => (read(other) - read(one)) / (distance + 1)),
  );
  slopes.sort((a, b) => a - b);
  return slopes[Math.floor(slopes.length / 2)] ?? Number.NaN;
}

/**
 * Half an hour of mixed load and faults: unary calls, streams and WebSockets by every protocol, calls that must be
 * refused, connections broken off in all ways, certificates replaced. The heap, sockets and descriptors must not grow.
 * `SOAK_MINUTES` sets another duration. `SOAK_SHARE` sets the share of the time that is spent on calls; default 0.3.
 */
import { join } from "node:path";
import { withFolderEach } from "@rollcall/testing/test-folder";
import { expect, test } from "vitest";
import { type SoakSample, slopeOf, soak } from "./support/soak.ts";

const MINUTES = Number(process.env.SOAK_MINUTES ?? 30);
const share = Number(process.env.SOAK_SHARE ?? 0.3);
const PHASE_MS = 60_000;
/** Leak of the control, in bytes: about three times a call's log line. */
const LEAKED_BYTES = 1_024;
const CONTROL_PHASES = 3;

let folder = "";
withFolderEach((each) => {
  folder = each;
});

const sum = (samples: readonly SoakSample[], read: (sample: SoakSample) => number) =>
  samples.reduce((total, sample) => total + read(sample), 0);

test.skipIf(process.platform !== "linux")(
  `${MINUTES} minutes leave nothing open, and no growth; leaks on purpose are seen`,
  { timeout: 10_000_000 },
  async () => {
    const run = (phases: number, name: string, leakedBytesPerCall?: number) =>
      soak({
        isPhaseOver: (_rounds, elapsedMs) => elapsedMs >= PHASE_MS,
        onSample: (sample) => console.info(JSON.stringify(sample)),
        ...{ phases, share, databasePath: join(folder, name) },
        ...(leakedBytesPerCall !== undefined && { leakedBytesPerCall }),
      });
    const { samples, failures } = await run(MINUTES - 1, "one.db");
    const control = await run(CONTROL_PHASES, "other.db", LEAKED_BYTES);
    // The number of rounds in a phase depends on the machine's load, so growth is compared per call.
    const growthOf = (of: readonly SoakSample[]) => ({
      calls: sum(of, ({ calls }) => calls),
      rounds: sum(of, ({ rounds }) => rounds),
      heapBytesPerCall: (slopeOf(of, ({ heapBytes }) => heapBytes) * of.length) / sum(of, ({ calls }) => calls),
      socketsPerPhase: slopeOf(of, ({ sockets }) => sockets),
      descriptorsPerPhase: slopeOf(of, ({ descriptors }) => descriptors),
      residentBytesPerPhase: slopeOf(of, ({ residentBytes }) => residentBytes),
    });
    const [growth, leak] = [growthOf(samples), growthOf(control.samples)];
    console.info(JSON.stringify({ growth, leak, first: samples[0], last: samples.at(-1) }, undefined, 1));
    expect([failures, control.failures]).toEqual([[], []]);
    expect(growth.heapBytesPerCall).toBeLessThan(leak.heapBytesPerCall / 20);
    for (const kind of ["socketsPerPhase", "descriptorsPerPhase"] as const) {
      expect(growth[kind]).toBeLessThanOrEqual(0);
      expect(leak[kind]).toBeGreaterThan(1);
    }
  },
);

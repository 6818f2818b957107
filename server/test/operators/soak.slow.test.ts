/** The quick forms of `soak.torture.ts`, with leaks large enough to show soon, and of `idle-streams.torture.ts`. */
import { join } from "node:path";
import { withFolderEach } from "@rollcall/testing/test-folder";
import { expect, test } from "vitest";
import { measureIdleStreams } from "./support/idle-streams.ts";
import { slopeOf, soak } from "./support/soak.ts";

const LEAKED_BYTES = 16 * 1_024;
const ROUNDS = 2;

let folder = "";
withFolderEach((each) => {
  folder = each;
});

/** Descriptors are counted in /proc, which only Linux has. */
test.skipIf(process.platform !== "linux")(
  "mixed load and faults leave nothing open, and no growth; leaks on purpose are seen",
  async () => {
    const options = { isPhaseOver: (rounds: number) => rounds >= ROUNDS, share: 1 };
    const { samples, failures } = await soak({ ...options, phases: 4, databasePath: join(folder, "one.db") });
    const leaking = await soak({
      ...options,
      phases: 2,
      databasePath: join(folder, "other.db"),
      leakedBytesPerCall: LEAKED_BYTES,
    });
    expect([failures, leaking.failures]).toEqual([[], []]);
    for (const kind of ["sockets", "descriptors"] as const) {
      expect(slopeOf(samples, (sample) => sample[kind])).toBeLessThanOrEqual(0);
      expect(slopeOf(leaking.samples, (sample) => sample[kind])).toBeGreaterThanOrEqual(ROUNDS);
    }
    const growth = slopeOf(leaking.samples, ({ heapBytes }) => heapBytes);
    expect(slopeOf(samples, ({ heapBytes }) => heapBytes)).toBeLessThan(growth / 3);
  },
);

test("idle streams take some kilobytes each, and others are served beside them", async () => {
  const idle = await measureIdleStreams(250);
  expect(idle.failures).toBe(0);
  expect(idle.usedBytes).toBeLessThan(64 * 1_024);
  expect(idle.leftBytes).toBeLessThan(idle.usedBytes / 2);
});

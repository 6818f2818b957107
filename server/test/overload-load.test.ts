import { expect, test } from "vitest";
import { runLoad } from "./load.ts";

/** Ratios are far from what `overload.torture.ts` measures, since others may use this machine meanwhile. */
test("at three times what it can, a server serves about as much, and probes are answered", {
  timeout: 120_000,
}, async () => {
  const load = { multiple: 3, secondsPerPhase: 1, deadlineMs: 5_000 };
  const { peak, overload, after } = await runLoad(load);
  expect(overload.refused).toBeGreaterThan(0);
  expect(overload.goodPerSecond).toBeGreaterThan(peak.goodPerSecond * 0.4);
  expect(overload.failedProbes).toBe(0);
  expect(after.goodPerSecond).toBeGreaterThan(0);
  const control = await runLoad({ ...load, isLifted: true });
  expect(control.overload.refused).toBe(0);
  expect(overload.probeMedianMs).toBeLessThan(Math.max(control.overload.probeMedianMs, control.after.probeMedianMs));
});

import { expect, test } from "vitest";
import { runLoad } from "./support/run-load.ts";

/** Needs a machine without other work, and a core for each side. */
test("at three times its capacity, goodput is 80 % of the peak, and /healthz answers in 100 ms", {
  timeout: 300_000,
}, async () => {
  const load = { multiple: 3, secondsPerPhase: 10, deadlineMs: 1_000 };
  const report = await runLoad(load);
  const control = await runLoad({ ...load, isLifted: true });
  process.stdout.write(`${JSON.stringify({ report, control }, undefined, 2)}\n`);
  expect(report.overload.goodPerSecond).toBeGreaterThan(report.peak.goodPerSecond * 0.8);
  expect(report.overload.failedProbes).toBe(0);
  expect(report.overload.probeMaxMs).toBeLessThan(100);
  expect(report.after.late + report.after.refused).toBe(0);
  expect(control.overload.goodPerSecond).toBeLessThan(report.overload.goodPerSecond / 2);
});

import { constants, PerformanceObserver } from "node:perf_hooks";
import { until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { countReadBytes } from "./free-young-buffers.ts";

test("collects the young generation alone, once each 4 MiB, and leaves no function behind", async () => {
  const kinds: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      kinds.push((entry as PerformanceEntry & { detail: { kind: number } }).detail.kind);
  });
  observer.observe({ entryTypes: ["gc"] });
  for (let i = 0; i < 20 * 64; i++) countReadBytes(64 * 1_024);
  const countOf = (wanted: number) => kinds.filter((kind) => kind === wanted).length;
  // Node.js reports collections a little later.
  await until(() => countOf(constants.NODE_PERFORMANCE_GC_MINOR) >= 20);
  observer.disconnect();
  expect(countOf(constants.NODE_PERFORMANCE_GC_MINOR)).toBeLessThan(40);
  expect(countOf(constants.NODE_PERFORMANCE_GC_MAJOR)).toBeLessThan(5);
  expect("gc" in globalThis).toBe(process.execArgv.includes("--expose-gc"));
});

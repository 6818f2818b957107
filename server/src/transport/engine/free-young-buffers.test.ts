import { constants, PerformanceObserver } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
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
  await setTimeout(50);
  observer.disconnect();
  const minor = kinds.filter((kind) => kind === constants.NODE_PERFORMANCE_GC_MINOR);
  expect(minor.length).toBeGreaterThanOrEqual(20);
  expect(minor.length).toBeLessThan(40);
  expect(kinds.filter((kind) => kind === constants.NODE_PERFORMANCE_GC_MAJOR).length).toBeLessThan(5);
  expect("gc" in globalThis).toBe(process.execArgv.includes("--expose-gc"));
});

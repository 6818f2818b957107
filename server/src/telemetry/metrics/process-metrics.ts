import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Metric, NumberMetric } from "./metric.ts";

/** Interval at which the delay of the event loop is sampled, in milliseconds. */
const RESOLUTION_MS = 20;
/** Shortest window of the event loop's figures, in milliseconds. Two readers within it see the same figures. */
const WINDOW_MS = 10_000;

export interface ProcessMetrics extends Disposable {
  readonly metrics: readonly Metric[];
}

/** Measures the process: its event loop, memory and CPU. Must be disposed of. */
export function createProcessMetrics(): ProcessMetrics {
  const loop = watchLoop();
  const gauge = (name: string, unit: string, description: string, read: () => number): NumberMetric => ({
    ...{ name, unit, description },
    kind: "gauge",
    isOfProcess: true,
    points: () => [{ attributes: {}, value: read() }],
  });
  const window = "in the last 10 s or since the read before";
  return {
    [Symbol.dispose]: loop[Symbol.dispose],
    metrics: [
      gauge("nodejs.eventloop.delay.p50", "s", `Median delay of the event loop ${window}`, () => loop.read().p50),
      gauge("nodejs.eventloop.delay.p99", "s", `Delay of the event loop, 99th percentile, ${window}`, () => {
        return loop.read().p99;
      }),
      gauge("nodejs.eventloop.delay.max", "s", `Longest delay of the event loop ${window}`, () => loop.read().max),
      gauge("nodejs.eventloop.utilization", "1", `Part of the time that the event loop was busy ${window}`, () => {
        return loop.read().utilization;
      }),
      gauge("v8js.memory.heap.used", "By", "Memory that JavaScript objects take up", () => {
        return getHeapStatistics().used_heap_size;
      }),
      gauge("v8js.memory.heap.limit", "By", "Size of the heap at which the process ends", () => {
        return getHeapStatistics().heap_size_limit;
      }),
      gauge("process.memory.usage", "By", "Physical memory of the process", () => process.memoryUsage.rss()),
      gauge("process.uptime", "s", "Time since the process began", () => process.uptime()),
      {
        name: "process.cpu.time",
        kind: "counter",
        isOfProcess: true,
        unit: "s",
        description: "CPU time of all threads",
        points() {
          const { user, system } = process.cpuUsage();
          return [
            { attributes: { "cpu.mode": "user" }, value: user / 1e6 },
            { attributes: { "cpu.mode": "system" }, value: system / 1e6 },
          ];
        },
      },
    ],
  };
}

interface LoopFigures {
  /** In seconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** From 0 to 1. */
  readonly utilization: number;
}

/**
 * Watches the event loop. Its figures describe the last complete window or, until there is one, the first window so
 * far.
 */
function watchLoop(): Disposable & { read(): LoopFigures } {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  let sinceMs = performance.now();
  let usage = performance.eventLoopUtilization();
  let last: LoopFigures | undefined;
  // The monitor reports the time between two of its timers, so their interval is subtracted.
  const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1_000);
  const current = (): LoopFigures => ({
    p50: seconds(delays.percentile(50)),
    p99: seconds(delays.percentile(99)),
    max: seconds(delays.max),
    utilization: performance.eventLoopUtilization(usage).utilization,
  });
  return {
    [Symbol.dispose]: () => delays.disable(),
    read() {
      const nowMs = performance.now();
      if (nowMs - sinceMs < WINDOW_MS) return last ?? current();
      last = current();
      sinceMs = nowMs;
      usage = performance.eventLoopUtilization();
      delays.reset();
      return last;
    },
  };
}

import type { Logger } from "pino";
import type { CallObserver } from "../rpc/record/call-record.ts";
import { createAccessLog, type LogOutput } from "./access-log.ts";
import { createCallMetrics } from "./metrics/call-metrics.ts";
import type { Metric } from "./metrics/metric.ts";
import { createProcessMetrics } from "./metrics/process-metrics.ts";
import { createServerMetrics, type ServerNumbers } from "./metrics/server-metrics.ts";

export interface TelemetryOptions {
  logger: Logger;
  /** Destination of the logger's lines, to which the access log then writes by itself. */
  logOutput: LogOutput | undefined;
  /** Numbers of the server for the metrics; without them nothing is counted. */
  numbers: ServerNumbers | undefined;
}

export interface Telemetry extends Disposable {
  /** Called one after the other at the end of each call. */
  readonly observers: readonly CallObserver[];
  readonly metrics: readonly Metric[];
  /** Counts a call of a method that does not exist, of which there is no record. */
  countUnknownMethod(protocol: string, durationMs: number): void;
}

/** Creates everything that watches the calls: the log, and metrics. Has to be disposed of. */
export function createTelemetry({ logger, logOutput, numbers }: TelemetryOptions): Telemetry {
  const accessLog = createAccessLog(logger, logOutput);
  if (!numbers) return { observers: [accessLog], metrics: [], countUnknownMethod() {}, [Symbol.dispose]() {} };
  const calls = createCallMetrics();
  const ofProcess = createProcessMetrics();
  return {
    observers: [accessLog, calls.observe],
    metrics: [...calls.metrics, ...createServerMetrics(numbers), ...ofProcess.metrics],
    countUnknownMethod: calls.countUnknownMethod,
    [Symbol.dispose]: () => ofProcess[Symbol.dispose](),
  };
}

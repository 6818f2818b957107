import type { Logger } from "pino";
import type { CallObserver } from "../rpc/record/call-record.ts";
import type { TraceCall } from "../rpc/record/call-trace.ts";
import { createAccessLog, type LogOutput } from "./access-log.ts";
import { createCallMetrics } from "./metrics/call-metrics.ts";
import type { Metric } from "./metrics/metric.ts";
import { createProcessMetrics } from "./metrics/process-metrics.ts";
import { createServerMetrics, type ServerNumbers } from "./metrics/server-metrics.ts";
import type { TracedDatabase } from "./otlp/database-spans.ts";
import type { OtlpOptions } from "./otlp/options.ts";
import { keepTraceId } from "./traces/trace-parent.ts";

export interface TelemetryOptions {
  logger: Logger;
  /** Destination of the logger's lines. If it is set, the access log writes to it directly. */
  logOutput: LogOutput | undefined;
  /** Numbers of the server, for the metrics. Without them nothing is counted. */
  numbers: ServerNumbers | undefined;
  /** Exports spans and metrics. */
  otlp: OtlpOptions | undefined;
}

export interface Telemetry {
  /** Opens the trace of a call that begins. */
  readonly traceCall: TraceCall;
  /** Called one after the other at the end of each call. */
  readonly observers: readonly CallObserver[];
  readonly metrics: readonly Metric[];
  /** Counts a call of an unknown method, which has no record. */
  countUnknownMethod(protocol: string, durationMs: number): void;
  /** Wraps a repository, so that the queries of recorded calls have spans. */
  traceRepository<T extends object>(repository: T, database: TracedDatabase): T;
  /** Ends the background work, and exports the remaining data within the time. */
  close(timeoutMs: number): Promise<void>;
}

/** Creates everything that observes calls: the log, metrics and traces. Must be closed. */
export async function createTelemetry({ logger, logOutput, numbers, otlp }: TelemetryOptions): Promise<Telemetry> {
  const observers = [createAccessLog(logger, logOutput)];
  const calls = numbers && createCallMetrics();
  const ofProcess = numbers && createProcessMetrics();
  if (calls) observers.push(calls.observe);
  const metrics = calls && ofProcess ? [...calls.metrics, ...createServerMetrics(numbers), ...ofProcess.metrics] : [];
  const exported = otlp && (await import("./otlp/open-otlp.ts")).openOtlp(otlp, metrics, logger);
  if (exported) observers.push(exported.observe);
  return {
    observers,
    metrics,
    traceCall: exported?.traceCall ?? keepTraceId,
    countUnknownMethod: calls?.countUnknownMethod ?? (() => {}),
    traceRepository: exported?.traceRepository ?? ((repository) => repository),
    async close(timeoutMs) {
      ofProcess?.[Symbol.dispose]();
      await exported?.close(timeoutMs);
    },
  };
}

import { randomUUID } from "node:crypto";
import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { millisToHrTime } from "@opentelemetry/core";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { AlwaysOnSampler, BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Logger } from "pino";
import packageJson from "../../../package.json" with { type: "json" };
import type { Metric } from "../metrics/metric.ts";
import { type CallSpans, createCallSpans } from "./call-spans.ts";
import { type TracedDatabase, traceRepository } from "./database-spans.ts";
import { ExportLog } from "./export-log.ts";
import type { OtlpOptions } from "./options.ts";
import { toMetricData } from "./to-metric-data.ts";

const SCOPE = { name: "rollcall", version: packageJson.version };
const EXPORT_TIMEOUT_MS = 10_000;
/** Spans that wait for their export; further ones are dropped. Each takes some 2 kB. */
const MAX_QUEUED_SPANS = 4_096;
const MAX_SPANS_IN_EXPORT = 512;
/** Time between two exports. */
const SPANS_INTERVAL_MS = 5_000;
const METRICS_INTERVAL_MS = 30_000;

export interface Otlp extends CallSpans {
  traceRepository<T extends object>(repository: T, database: TracedDatabase): T;
  /** Exports the remaining spans and metrics within the time. Nothing is exported afterwards. */
  close(timeoutMs: number): Promise<void>;
}

/**
 * Begins to export spans of calls, and metrics. All of OpenTelemetry's SDK is imported from here, so that it is loaded
 * only if it is needed.
 */
export function openOtlp(
  { endpoint, sampleRatio = 1, exportTimeoutMs = EXPORT_TIMEOUT_MS }: OtlpOptions,
  metrics: readonly Metric[],
  logger: Logger,
): Otlp {
  const startTime = millisToHrTime(Date.now());
  const config = (path: string) => ({ url: `${endpoint.replace(/\/$/, "")}${path}`, timeoutMillis: exportTimeoutMs });
  // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence.
  const resource = defaultResource()
    .merge(
      resourceFromAttributes({
        "service.name": SCOPE.name,
        "service.version": SCOPE.version,
        "service.instance.id": randomUUID(),
      }),
    )
    .merge(detectResources({ detectors: [envDetector] }));
  const log = new ExportLog(logger);
  const spanExporter = new OTLPTraceExporter(config("/v1/traces"));
  log.watch("traces", spanExporter);
  const metricExporter = new OTLPMetricExporter(config("/v1/metrics"));
  log.watch("metrics", metricExporter);
  const tracers = new TracerProvider({
    resource,
    sampler: new AlwaysOnSampler(),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: spanExporter,
        maxQueueSize: MAX_QUEUED_SPANS,
        maxExportBatchSize: MAX_SPANS_IN_EXPORT,
        scheduledDelayMillis: SPANS_INTERVAL_MS,
        exportTimeoutMillis: exportTimeoutMs,
      }),
    ],
  });
  // The metrics are counted elsewhere and only read here.
  const producer = {
    async collect() {
      const period = { startTime, endTime: millisToHrTime(Date.now()) };
      const scopeMetrics = [{ scope: SCOPE, metrics: metrics.map((metric) => toMetricData(metric, period)) }];
      return { resourceMetrics: { resource, scopeMetrics }, errors: [] };
    },
  };
  const meters = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter: metricExporter,
        exportIntervalMillis: METRICS_INTERVAL_MS,
        exportTimeoutMillis: exportTimeoutMs,
        metricProducers: [producer],
      }),
    ],
  });
  // If the host has set a context manager, it stays: the second one is refused.
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const tracer = tracers.getTracer(SCOPE.name, SCOPE.version);
  return {
    ...createCallSpans({ tracer, sampleRatio }),
    traceRepository: (repository, database) => traceRepository(repository, database, tracer),
    async close(timeoutMs) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeoutMs);
      });
      await Promise.race([Promise.allSettled([tracers.shutdown(), meters.shutdown()]), late]);
      clearTimeout(timer);
    },
  };
}

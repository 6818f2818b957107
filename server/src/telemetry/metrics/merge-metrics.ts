import type { Attributes, HistogramValue, Metric, Point } from "./metric.ts";

/** Attribute that names the process, in metrics that can't be summed up. */
const WORKER = "worker";

/** Sends the figures of this process to others that serve the same port, and gets theirs. */
export interface MetricsExchange {
  /** Sets the function that reads the metrics of this process. */
  offer(read: () => readonly Metric[]): void;
  /**
   * Returns the metrics of all processes, in Prometheus's text format.
   *
   * @throws if they do not arrive in time.
   */
  readAll(): Promise<string>;
}

/** A metric as it was at one moment, in a form that can be sent to another process as JSON. */
export type MetricSnapshot = Pick<Metric, "name" | "kind" | "unit" | "description" | "isOfProcess"> & {
  readonly values: readonly Point<number | HistogramValue>[];
};

/** Metrics of one of several processes. */
export interface WorkerSnapshot {
  /** Number of the worker. */
  readonly worker: number;
  readonly metrics: readonly MetricSnapshot[];
}

/** Reads metrics as they are now. */
export function takeSnapshot(metrics: readonly Metric[]): MetricSnapshot[] {
  return metrics.map((metric) => {
    const { name, kind, unit, description, isOfProcess } = metric;
    const values = Array.from<Point<number | HistogramValue>, Point<number | HistogramValue>>(
      metric.points(),
      ({ attributes, value }) => ({ attributes, value: typeof value === "number" ? value : plain(value) }),
    );
    return { name, kind, unit, description, ...(isOfProcess && { isOfProcess }), values };
  });
}

/** Returns the metrics of an ended process that still count: those that only grow, so that no sum ever shrinks. */
export function keepCounts(metrics: readonly MetricSnapshot[]): MetricSnapshot[] {
  return metrics.filter(({ kind, isOfProcess }) => (kind === "counter" || kind === "histogram") && !isOfProcess);
}

/**
 * Sums up the metrics of several processes, by attributes. Metrics of a single process, such as its memory, stay apart:
 * each gets the number of its worker as an attribute.
 */
export function mergeSnapshots(snapshots: readonly WorkerSnapshot[]): MetricSnapshot[] {
  const merged = new Map<string, { metric: MetricSnapshot; points: Map<string, MutablePoint> }>();
  for (const { worker, metrics } of snapshots) {
    for (const metric of metrics) {
      const entry = merged.get(metric.name) ?? { metric, points: new Map<string, MutablePoint>() };
      merged.set(metric.name, entry);
      for (const { attributes: own, value } of metric.values) {
        const attributes = metric.isOfProcess ? { ...own, [WORKER]: String(worker) } : own;
        const key = JSON.stringify(attributes);
        const point = entry.points.get(key);
        if (point) point.value = add(point.value, value);
        else entry.points.set(key, { attributes, value });
      }
    }
  }
  return Array.from(merged.values(), ({ metric, points }) => ({ ...metric, values: [...points.values()] }));
}

interface MutablePoint {
  readonly attributes: Attributes;
  value: number | HistogramValue;
}

/** Turns snapshots into metrics, for writers of metrics. */
export function toMetrics(snapshots: readonly MetricSnapshot[]): Metric[] {
  return snapshots.map(({ values, ...metric }) => ({ ...metric, points: () => values }) as Metric);
}

function add(one: number | HistogramValue, other: number | HistogramValue): number | HistogramValue {
  if (typeof one === "number" || typeof other === "number") return Number(one) + Number(other);
  return {
    bounds: one.bounds,
    counts: one.counts.map((count, range) => count + (other.counts[range] ?? 0)),
    sum: one.sum + other.sum,
    count: one.count + other.count,
  };
}

/** Copies a histogram into a plain object, since its sums are not own properties. */
function plain({ bounds, counts, sum, count }: HistogramValue): HistogramValue {
  return { bounds, counts: [...counts], sum, count };
}

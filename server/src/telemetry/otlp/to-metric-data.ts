import { type HrTime, ValueType } from "@opentelemetry/api";
import { AggregationTemporality, DataPointType, type MetricData } from "@opentelemetry/sdk-metrics";
import type { HistogramValue, Metric, Point } from "../metrics/metric.ts";

/** Time at which the counters began to count, and time at which they were read. */
export interface Period {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
}

/** Converts a metric to the form in which the SDK exports it. */
export function toMetricData(metric: Metric, period: Period): MetricData {
  const { name, unit, description } = metric;
  const base = {
    descriptor: { name, unit, description, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  if (metric.kind === "histogram") {
    const dataPoints = Array.from(metric.points(), ({ attributes, value }) => ({
      ...{ ...period, attributes },
      value: toHistogram(value),
    }));
    return { ...base, dataPointType: DataPointType.HISTOGRAM, dataPoints };
  }
  const dataPoints = Array.from(metric.points(), (point: Point<number>) => ({ ...period, ...point }));
  if (metric.kind === "gauge") return { ...base, dataPointType: DataPointType.GAUGE, dataPoints };
  return { ...base, dataPointType: DataPointType.SUM, isMonotonic: metric.kind === "counter", dataPoints };
}

function toHistogram({ bounds, counts, sum, count }: HistogramValue) {
  return { buckets: { boundaries: [...bounds], counts: [...counts] }, sum, count };
}

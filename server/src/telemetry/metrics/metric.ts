import type { Histogram } from "../../runtime/histogram.ts";

export type Attributes = Readonly<Record<string, string>>;

/** One value of a metric, with the attributes that tell it from others. */
export interface Point<Value> {
  readonly attributes: Attributes;
  readonly value: Value;
}

interface MetricBase {
  /** Name by OpenTelemetry's conventions, such as `rpc.server.call.duration`. */
  readonly name: string;
  /** Unit in UCUM, such as `s` or `By`; one in braces, such as `{call}`, only says what is counted. */
  readonly unit: string;
  readonly description: string;
}

export interface NumberMetric extends MetricBase {
  /** "counter" only grows; "upDownCounter" is a number of things at the moment; "gauge" is any other value. */
  readonly kind: "counter" | "upDownCounter" | "gauge";
  points(): Iterable<Point<number>>;
}

export interface HistogramMetric extends MetricBase {
  readonly kind: "histogram";
  points(): Iterable<Point<Histogram>>;
}

/**
 * A metric, read when somebody asks for it: Prometheus or an OTLP export. Everything that is counted while calls are
 * served is counted by its owner, once, whoever reads it.
 */
export type Metric = NumberMetric | HistogramMetric;

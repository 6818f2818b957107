export type Attributes = Readonly<Record<string, string>>;

/** One value of a metric, with the attributes that distinguish it from others. */
export interface Point<Value> {
  readonly attributes: Attributes;
  readonly value: Value;
}

/** Values of a histogram, by range. */
export interface HistogramValue {
  /** Upper bounds of the ranges, ascending and inclusive; the last range has none. */
  readonly bounds: readonly number[];
  /** Number of values in each range: one more than there are bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

interface MetricBase {
  /** Name by OpenTelemetry's conventions, such as `rpc.server.call.duration`. */
  readonly name: string;
  /** Unit in UCUM, such as `s` or `By`. One in braces, such as `{call}`, only names the things that are counted. */
  readonly unit: string;
  readonly description: string;
  /** Whether it describes a single process, so that the values of several can't be summed up. Default false. */
  readonly isOfProcess?: boolean;
}

export interface NumberMetric extends MetricBase {
  /** "counter" only grows; "upDownCounter" is a present number of things; "gauge" is any other value. */
  readonly kind: "counter" | "upDownCounter" | "gauge";
  points(): Iterable<Point<number>>;
}

export interface HistogramMetric extends MetricBase {
  readonly kind: "histogram";
  points(): Iterable<Point<HistogramValue>>;
}

/**
 * A metric, which is read on demand by Prometheus or an OTLP export. Figures that change with each call are counted
 * once, where they arise, however many readers there are.
 */
export type Metric = NumberMetric | HistogramMetric;

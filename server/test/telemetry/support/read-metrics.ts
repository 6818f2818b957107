import parse from "parse-prometheus-text-format";
import { expect } from "vitest";

type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

/** Metrics as Prometheus reads them. */
export class Metrics {
  /** Types by name, in order. */
  readonly types: ReadonlyMap<string, string>;
  /** Samples. A histogram has samples of three names: `…_bucket`, `…_sum` and `…_count`. */
  readonly samples: readonly Sample[];

  constructor(text: string) {
    this.types = new Map(parse(text).map(({ name, type }) => [name, type.toLowerCase()]));
    // The parser joins all buckets of a histogram, whatever their labels. Without the type line it treats them as plain
    // samples, and keeps the labels.
    const families = parse(text.replaceAll(/^# TYPE \S+ histogram\n/gm, ""));
    this.samples = families.flatMap(({ name, metrics }) =>
      metrics.map(({ labels = {}, value }) => ({ name, labels, value: Number(value) })),
    );
  }

  /** Returns the samples that have at least these labels. */
  find(name: string, labels: Labels = {}): Sample[] {
    return this.samples.filter(
      (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    );
  }

  /** Returns the value of the only sample with these labels. */
  value(name: string, labels: Labels = {}): number | undefined {
    const found = this.find(name, labels);
    expect(found).toHaveLength(1);
    return found[0]?.value;
  }
}

/** Reads a server's metrics with a parser for Prometheus's text format. */
export async function readMetrics(url: string): Promise<Metrics> {
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return new Metrics(await response.text());
}

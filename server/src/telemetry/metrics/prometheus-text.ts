import type { Attributes, HistogramValue, Metric } from "./metric.ts";

/** Content type of Prometheus's text format. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Units in words, as in Prometheus's names. A unit in braces is left out. */
const UNITS: Readonly<Record<string, string>> = { s: "seconds", By: "bytes", "1": "ratio" };

/** Returns the Prometheus name of a metric, by OpenTelemetry's rules: `rollcall.calls` is `rollcall_calls_total`. */
export function prometheusName({ name, unit, kind }: Pick<Metric, "name" | "unit" | "kind">): string {
  const inWords = UNITS[unit];
  return toName(name) + (inWords ? `_${inWords}` : "") + (kind === "counter" ? "_total" : "");
}

/** Writes metrics in Prometheus's text format. */
export function toPrometheusText(metrics: Iterable<Metric>): string {
  return [...metrics].map(linesOf).join("");
}

function linesOf(metric: Metric): string {
  const name = prometheusName(metric);
  const type = metric.kind === "upDownCounter" ? "gauge" : metric.kind;
  let lines = `# HELP ${name} ${metric.description}\n# TYPE ${name} ${type}\n`;
  if (metric.kind === "histogram") {
    for (const { attributes, value } of metric.points()) lines += histogramLines(name, attributes, value);
  } else {
    for (const { attributes, value } of metric.points()) lines += `${name}${labels(attributes)} ${value}\n`;
  }
  return lines;
}

/** Writes the ranges of a histogram. Each counts all values up to its bound. */
function histogramLines(name: string, attributes: Attributes, { bounds, counts, sum, count }: HistogramValue): string {
  let lines = "";
  let below = 0;
  for (const [index, bound] of bounds.entries()) {
    below += counts[index] ?? 0;
    lines += `${name}_bucket${labels({ ...attributes, le: String(bound) })} ${below}\n`;
  }
  lines += `${name}_bucket${labels({ ...attributes, le: "+Inf" })} ${count}\n`;
  return `${lines}${name}_sum${labels(attributes)} ${sum}\n${name}_count${labels(attributes)} ${count}\n`;
}

function labels(attributes: Attributes): string {
  const texts = Object.entries(attributes).map(
    ([name, value]) => `${toName(name)}="${value.replace(/["\\\n]/g, toEscaped)}"`,
  );
  return texts.length === 0 ? "" : `{${texts.join(",")}}`;
}

function toName(name: string): string {
  return name.replaceAll(/\W/g, "_");
}

function toEscaped(char: string): string {
  return char === "\n" ? "\\n" : `\\${char}`;
}

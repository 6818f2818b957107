import type { Entry, Results, WorkloadResult } from "./results.ts";
import type { Spread } from "./statistics.ts";
import type { Metric } from "./workloads/workload.ts";

/** Writes where and how a run took place, and which measurements were left out. */
export function writeHead({ machine, options, leftOut, startedAt, commit }: Results): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const pinning = machine.isPinned ? "server and load on a core each" : "server and load on any core";
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.system}; ${pinning}`,
    versions.join(", "),
    `${options.rounds} ${options.rounds === 1 ? "round" : "rounds"} of ${options.seconds} s in turn: median (least to greatest); ${startedAt}, commit ${commit ?? "unknown"}`,
    ...leftOut,
  ].join("\n");
}

/** Writes the table of a workload, in columns. */
export function writeTable(result: WorkloadResult): string {
  const rows = rowsOf(result);
  const widths = widthsOf(rows);
  const rule = widths.map((width) => "-".repeat(width));
  const lines = rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))),
  );
  return [lines[0] ?? [], rule, ...lines.slice(1)].map((cells) => cells.join("  ")).join("\n");
}

/** Writes rows as a Markdown table. The first row has the headers, and numbers are aligned to the right. */
export function writeMarkdownTable(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = (rows[0] ?? []).map((_, column) => (column === 0 ? "---" : "---:"));
  return [rows[0] ?? [], rule, ...rows.slice(1)].map(line).join("\n");
}

/** Lists the cells of a workload's table, its headers first. */
export function rowsOf({ title, metrics, entries }: WorkloadResult): string[][] {
  const hasRatio = (ratio: "ofHttp2" | "ofHttp") => entries.some((entry) => entry[ratio] !== undefined);
  const columns: [string, (entry: Entry) => string][] = [
    [title, ({ label }) => label],
    ...metrics.map((metric): [string, (entry: Entry) => string] => [
      metric.title,
      ({ values }) => formatSpread(values[metric.name], metric),
    ]),
  ];
  if (hasRatio("ofHttp2")) columns.push(["of node:http2", ({ ofHttp2 }) => formatRatio(ofHttp2)]);
  if (hasRatio("ofHttp")) columns.push(["of node:http", ({ ofHttp }) => formatRatio(ofHttp)]);
  return [columns.map(([header]) => header), ...entries.map((entry) => columns.map(([, format]) => format(entry)))];
}

function widthsOf(rows: readonly (readonly string[])[]): number[] {
  return (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
}

/** Writes a median with its least and greatest, or a dash. */
export function formatSpread(spread: Spread | undefined, { digits }: Pick<Metric, "digits">): string {
  if (!spread) return "–";
  const [median, min, max] = [spread.median, spread.min, spread.max].map((value) => formatNumber(value, digits));
  return min === max ? `${median}` : `${median} (${min} to ${max})`;
}

/** Writes a number with separators for thousands. */
export function formatNumber(value: number, digits: number): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function formatRatio(ratio: number | undefined): string {
  return ratio === undefined ? "–" : ratio.toFixed(3);
}

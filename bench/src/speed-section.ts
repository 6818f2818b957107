import type { Entry, Results, WorkloadResult } from "./results.ts";
import { formatNumber, writeMarkdownTable } from "./table.ts";

const BEGIN = "<!-- bench: written by `pnpm bench`, from bench/results/latest.json -->";
const END = "<!-- /bench -->";

/** Columns of the README's table: a framework, alone and with the same work. */
const FRAMEWORKS = [
  ["@grpc/grpc-js", "grpc-js"],
  ["stock Connect", "connect-fastify"],
  ["Fastify JSON route", "fastify"],
] as const;

/** Replaces the section about speed in a README by that of a run. @throws Error when the README has no place for it. */
export function replaceSpeedSection(readme: string, results: Results): string {
  const start = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (start < 0 || end < start) throw new Error(`the README needs the lines ${BEGIN} and ${END}`);
  return `${readme.slice(0, start)}${BEGIN}\n\n${writeSpeedSection(results)}\n\n${readme.slice(end)}`;
}

/** Writes the README's section about speed: the ratios, the chart, and how to repeat the run. */
export function writeSpeedSection(results: Results): string {
  // Rates of clients have no column here, and what was not compared with node:http2 has no ratio; docs/speed.md has both.
  const rates = results.workloads.filter(
    ({ metrics, entries }) =>
      metrics.some(({ isRate }) => isRate) &&
      entryOf(entries, "rollcall") &&
      entries.some(({ ofHttp2 }) => ofHttp2 !== undefined),
  );
  const { machine, options, startedAt } = results;
  const rows = [
    [
      "calls, messages or MB a second, as a share of bare `node:http2`; more is better",
      "Rollcall, all steps on",
      ...FRAMEWORKS.flatMap(([label]) => [`${label}, bare`, `${label}, same work`]),
      "Rollcall's CPU",
    ],
    ...rates.map(writeRow),
  ];
  return [
    "Rollcall checks tokens, scopes and deadlines, validates, logs each call and reads SQLite; *bare* is a handler alone,",
    "*same work* one with a token, validation, a log line and SQLite as a team would add them.",
    "",
    writeMarkdownTable(rows),
    "",
    "![Calls, messages and megabytes a second, Rollcall beside other servers](docs/images/bench.svg)",
    "",
    ...writeFacts(results),
    `Measured by \`npx -y pnpm@12 bench\` on ${startedAt.slice(0, 10)}: one core of ${machine.cpu}, Node.js ${machine.versions.node},`,
    `medians of ${options.rounds} interleaved rounds of ${options.seconds} s. All figures, with least and greatest, are in`,
    "[docs/speed.md](docs/speed.md); [bench/README.md](bench/README.md) says what they mean.",
  ].join("\n");
}

function writeRow({ title, entries, metrics }: WorkloadResult): string[] {
  const ratioOf = (name: string) => formatRatio(entryOf(entries, name)?.ofHttp2);
  const cpu = entryOf(entries, "rollcall")?.values.cpuMicros?.median;
  const cpuMetric = metrics.find(({ name }) => name === "cpuMicros");
  return [
    title,
    `**${ratioOf("rollcall")}**`,
    ...FRAMEWORKS.flatMap(([, name]) => [ratioOf(name), ratioOf(`${name}-work`)]),
    cpu === undefined || !cpuMetric
      ? NONE
      : `${formatNumber(cpu, cpuMetric.digits)} ${cpuMetric.title.replace("CPU ", "")}`,
  ];
}

/** Writes the figures that are not rates: latency, memory, start. */
function writeFacts({ workloads }: Results): string[] {
  const medianOf = (workload: string, metric: string, digits: number): string => {
    const entries = workloads.find(({ name }) => name === workload)?.entries ?? [];
    const value = entryOf(entries, "rollcall")?.values[metric]?.median;
    return value === undefined ? NONE : formatNumber(value, digits);
  };
  return [
    `At half of its peak rate, half of Rollcall's answers take less than ${medianOf("latency", "p50Ms", 2)} ms, 99 % less than`,
    `${medianOf("latency", "p99Ms", 2)} ms and 99.9 % less than ${medianOf("latency", "p999Ms", 2)} ms. An idle stream takes ${medianOf("idle-bidi", "kilobytes", 0)} kB, a WebSocket`,
    `${medianOf("idle-websocket", "kilobytes", 0)} kB, an HTTP/2 connection ${medianOf("idle-connection", "kilobytes", 0)} kB. A start takes ${medianOf("startup", "startMs", 0)} ms and ${medianOf("startup", "residentMb", 0)} MB.`,
    "",
  ];
}

const NONE = "–";

function entryOf(entries: readonly Entry[], contestant: string): Entry | undefined {
  return entries.find((entry) => entry.contestant === contestant);
}

function formatRatio(ratio: number | undefined): string {
  return ratio === undefined ? NONE : ratio.toFixed(2);
}

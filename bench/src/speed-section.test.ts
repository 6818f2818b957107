import { expect, test } from "vitest";
import type { Results } from "./results.ts";
import { replaceSpeedSection, writeSpeedSection } from "./speed-section.ts";

const spread = (median: number) => ({ median, min: median, max: median });
const entry = (contestant: string, ofHttp2: number) => ({
  contestant,
  label: contestant,
  values: { perSecond: spread(ofHttp2 * 10_000), cpuMicros: spread(42.25) },
  ofHttp2,
  ofHttp: undefined,
});
const results: Results = {
  startedAt: "2026-11-27T03:10:00.000Z",
  commit: "abc",
  machine: { cpu: "a CPU", cores: 2, memoryGb: 8, system: "Linux", isPinned: true, versions: { node: "26.10.0" } },
  options: { rounds: 5, seconds: 1.5 },
  leftOut: [],
  workloads: [
    {
      name: "get-grpc",
      title: "GetUser",
      metrics: [
        { name: "perSecond", title: "calls/s", unit: "calls/s", digits: 0, isRate: true },
        { name: "cpuMicros", title: "CPU µs a call", unit: "µs", digits: 1 },
      ],
      entries: [entry("rollcall", 0.545), entry("grpc-js", 0.51), entry("grpc-js-work", 0.2)],
    },
  ],
};

test("a rate is a row with the ratios of each framework, bare and with the same work", () => {
  expect(writeSpeedSection(results)).toContain("| GetUser | **0.55** | 0.51 | 0.20 | – | – | – | – | 42.3 µs a call |");
});

test("a rate without a ratio has no row", () => {
  const [workload] = results.workloads;
  const alone = { ...entry("rollcall", 0.5), ofHttp2: undefined };
  const workloads = [workload, { ...workload, title: "Telemetry", entries: [alone] }] as Results["workloads"];
  const section = writeSpeedSection({ ...results, workloads });
  expect(section).toContain("| GetUser |");
  expect(section).not.toContain("Telemetry");
});

test("the section takes the place of the one before, and of nothing else", () => {
  const readme = `a\n${replaceSpeedSectionMarkers("old")}\nb\n`;
  const written = replaceSpeedSection(readme, results);
  expect(written).not.toContain("old");
  expect(written.startsWith("a\n<!-- bench")).toBe(true);
  expect(written.endsWith("<!-- /bench -->\nb\n")).toBe(true);
  expect(replaceSpeedSection(written, results)).toBe(written);
  expect(() => replaceSpeedSection("none", results)).toThrow("the README needs the lines");
});

function replaceSpeedSectionMarkers(text: string): string {
  return `<!-- bench: written by \`pnpm bench\`, from bench/results/latest.json -->\n${text}\n<!-- /bench -->`;
}

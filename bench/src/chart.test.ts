import { expect, test } from "vitest";
import { drawChart } from "./chart.ts";
import type { Entry, Results } from "./results.ts";

function entryOf(contestant: string, label: string, perSecond: number): Entry {
  const values = { perSecond: { median: perSecond, min: perSecond, max: perSecond } };
  return { contestant, label, values, ofHttp2: perSecond / 40_000, ofHttp: undefined };
}

const results: Results = {
  startedAt: "2026-11-26T12:00:00.000Z",
  commit: undefined,
  machine: {
    cpu: "A <fast> CPU",
    cores: 2,
    memoryGb: 8,
    system: "Linux",
    isPinned: true,
    versions: { node: "26.10.0" },
  },
  options: { rounds: 5, seconds: 3 },
  leftOut: [],
  workloads: [
    {
      name: "get",
      title: "GetUser & more",
      metrics: [{ name: "perSecond", title: "calls/s", unit: "calls/s", digits: 0, isRate: true }],
      entries: [entryOf("bare-http2", "node:http2, bare", 40_000), entryOf("rollcall", "Rollcall", 20_000)],
    },
    {
      name: "startup",
      title: "Start",
      metrics: [{ name: "startMs", title: "start", unit: "ms", digits: 0 }],
      entries: [],
    },
  ],
};

test("a bar is as long as its rate, and marked by whose it is", () => {
  const bars = [...drawChart(results).matchAll(/<rect class="(\w+)" .* width="([\d.]+)"/g)];
  const widths = bars.map(([, , width]) => Number(width));
  expect(bars.map(([, name]) => name)).toEqual(["limit", "rollcall"]);
  expect(widths[1]).toBeCloseTo((widths[0] ?? 0) / 2);
});

test("only rates are drawn, and text is escaped", () => {
  const chart = drawChart(results);
  expect(chart).not.toContain("Start");
  expect(chart).toContain("GetUser &amp; more: calls/s");
  expect(chart).toContain("A &lt;fast&gt; CPU");
  expect(chart).toContain("20,000 (0.50)");
});

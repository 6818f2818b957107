import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { connections, createCellTransport, protocols } from "@rollcall/testing/matrix";
import { root } from "@rollcall/testing/root";
import { startServer } from "@rollcall/testing/start-server";
import { beforeAll, describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { withPool } from "./support/pool.ts";
import { parsePromql, type Selector } from "./support/promql.ts";
import { type Metrics, readMetrics } from "./support/read-metrics.ts";

/** Labels that Prometheus itself adds, and its own metric for a target. */
const OWN_LABELS = ["job", "instance", "le"];
const OWN_METRIC = "up";

const read = (path: string) => readFileSync(join(root, "deploy", path), "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly action: string };
}
const rules = (parseYaml(read("prometheus/alerts.yaml")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}
const dashboard = JSON.parse(read("grafana/rollcall.json")) as {
  panels: Panel[];
  templating: { list: { name: string }[] };
};
const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
/** Replaces Grafana's variables by values. */
const filled = (expr: string) => expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$(job|instance)/g, "x");

let metrics: Metrics;
beforeAll(async () => {
  await using server = await startServer(await withPool());
  const users = createClient(UserService, await createCellTransport(server, { ...protocols.grpc, ...connections.h2c }));
  await users.createUser({ email: "ada@example.com", name: "Ada" });
  // A fault of the server has one more label.
  await fetch(`${server.url}/no.v1.Such/Method`, { method: "POST", headers: { "content-type": "application/json" } });
  metrics = await readMetrics(server.url);
});

/** Returns the parts of an expression that no server would answer. */
function unknownIn(text: string): string[] {
  const { selectors, groupings } = parsePromql(text);
  const known = selectors.filter(({ metric }) => metric !== OWN_METRIC);
  const labels = new Set([...known.flatMap(({ metric }) => labelsOf(metric)), ...OWN_LABELS]);
  return [...known.flatMap(unknownOf), ...groupings.filter((label) => !labels.has(label))];
}

function unknownOf({ metric, matchers }: Selector): string[] {
  const samples = metrics.find(metric);
  if (samples.length === 0) return [metric];
  const labels = [...labelsOf(metric), ...OWN_LABELS];
  const unknownLabels = matchers.filter(({ label }) => !labels.includes(label)).map(({ label }) => label);
  // All reasons, kinds and states exist from the start, with the value 0.
  const closed = matchers.filter(({ label, isEqual }) => isEqual && ["reason", "kind", "state"].includes(label));
  const unknownValues = closed
    .flatMap(({ label, value }) => value.split("|").map((each) => ({ label, value: each })))
    .filter(({ label, value }) => metrics.find(metric, { [label]: value }).length === 0);
  return [...unknownLabels, ...unknownValues.map(({ value }) => value)];
}

function labelsOf(metric: string): string[] {
  return metrics.find(metric).flatMap(({ labels }) => Object.keys(labels));
}

test("what no server answers is seen", () => {
  expect(unknownIn('sum by (where) (rate(rollcall_calls_total{colour="red"}[5m])) / rollcall_nothing')).toEqual([
    "colour",
    "rollcall_nothing",
    "where",
  ]);
  expect(unknownIn('rollcall_refusals_total{reason=~"overloaded|bored"}')).toEqual(["bored"]);
  expect(() => parsePromql("sum(rate(x[5m])")).toThrow(SyntaxError);
});

describe("alert rules", () => {
  test.each(rules)("$alert reads metrics that a server has", ({ expr }) => {
    expect(unknownIn(expr)).toEqual([]);
  });

  test("have names of their own, and say what to do", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { labels, annotations } of rules) {
      expect(labels.severity).toMatch(/^(page|ticket)$/);
      expect(annotations.summary).not.toBe("");
      expect(annotations.action).not.toBe("");
    }
  });
});

describe("the dashboard", () => {
  test.each(queries)("$title reads metrics that a server has", ({ expr }) => {
    expect(unknownIn(filled(expr))).toEqual([]);
  });

  test("shows each metric", () => {
    const shown = new Set(
      queries.flatMap(({ expr }) => parsePromql(filled(expr)).selectors.map(({ metric }) => metric)),
    );
    const names = [...metrics.types].map(([name, type]) => (type === "histogram" ? `${name}_bucket` : name));
    expect(names.filter((name) => !shown.has(name))).toEqual([]);
  });

  test("has panels that don't cover each other", () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(panels.every(({ gridPos }) => gridPos.x + gridPos.w <= 24)).toBe(true);
  });

  test("declares the variables that it uses", () => {
    const names = dashboard.templating.list.map(({ name }) => name);
    const used = new Set(
      read("grafana/rollcall.json")
        .match(/\$\{?[a-z_]+/gi)
        ?.map((name) => name.replace(/\W/g, "")),
    );
    used.delete("__rate_interval");
    expect([...used].sort()).toEqual(names.sort());
  });
});

import type { Histogram } from "../../runtime/histogram.ts";
import type { Metric, NumberMetric } from "./metric.ts";

/** Name of {@link workersMetric}. */
export const WORKERS_NAME = "rollcall.workers";

/** Numbers, one for each value of a metric's only attribute. */
export type Numbers = Iterable<readonly [name: string, value: number]>;

/** Connections of the database's pool. */
export interface ConnectionNumbers {
  readonly used: number;
  readonly idle: number;
  readonly waiting: number;
  readonly max: number;
}

/** Sources of the server's own numbers. Each is read when somebody asks for the metrics. */
export interface ServerNumbers {
  /** Open calls: `unary` and `stream`. */
  openCalls(): Numbers;
  /** Open connections, by protocol. */
  connections(): Numbers;
  /** Refusals since the start, by reason. */
  refusals(): Numbers;
  /** Writes by transaction, if the database groups them. */
  readonly commitSizes: Histogram | undefined;
  /** Age of the oldest change that has not been sent to watchers, in seconds. */
  feedLag(): number;
  /** Name of the database system, and its pool of connections, if it has one. */
  readonly pool: { readonly system: string; read(): ConnectionNumbers } | undefined;
}

/** Lists the metrics of the server itself. Missing parts are left out. */
export function createServerMetrics(numbers: ServerNumbers): Metric[] {
  const { openCalls, connections, refusals, commitSizes, feedLag, pool } = numbers;
  const metrics: Metric[] = [
    {
      name: "rollcall.calls.open",
      kind: "upDownCounter",
      unit: "{call}",
      description: "Calls in flight, those that wait for their start included",
      points: pointsBy("kind", openCalls),
    },
    {
      name: "rollcall.connections.open",
      kind: "upDownCounter",
      unit: "{connection}",
      description: "Open connections by protocol; an undecided one has not sent enough to tell",
      points: pointsBy("protocol", connections),
    },
    {
      name: "rollcall.refusals",
      kind: "counter",
      unit: "{refusal}",
      description: "What was refused or ended for a limit outside of calls, by reason",
      points: pointsBy("reason", refusals),
    },
    {
      name: "rollcall.feed.lag",
      kind: "gauge",
      unit: "s",
      description: "Age of the oldest committed change that watchers have not been sent; 0 without one",
      isOfProcess: true,
      points: () => [{ attributes: {}, value: feedLag() }],
    },
  ];
  if (commitSizes) {
    metrics.push({
      name: "rollcall.commit.writes",
      kind: "histogram",
      unit: "{write}",
      description: "Writes in one transaction of the database",
      points: () => [{ attributes: {}, value: commitSizes }],
    });
  }
  if (pool) metrics.push(...poolMetrics(pool));
  metrics.push(workersMetric({ serving: 1, silent: 0, down: 0 }));
  return metrics;
}

/** Lists the metrics of a pool of connections, by OpenTelemetry's conventions for clients of databases. */
function poolMetrics({ system, read }: NonNullable<ServerNumbers["pool"]>): Metric[] {
  const attributes = { "db.client.connection.pool.name": system };
  return [
    {
      name: "db.client.connection.count",
      kind: "upDownCounter",
      unit: "{connection}",
      description: "Connections to the database, by what they do: used or idle",
      points() {
        const { used, idle } = read();
        const state = "db.client.connection.state";
        return Object.entries({ used, idle }).map(([name, value]) => {
          return { attributes: { ...attributes, [state]: name }, value };
        });
      },
    },
    {
      name: "db.client.connection.pending_requests",
      kind: "upDownCounter",
      unit: "{request}",
      description: "Queries and transactions that wait for a connection to the database",
      points: () => [{ attributes, value: read().waiting }],
    },
    {
      name: "db.client.connection.max",
      kind: "upDownCounter",
      unit: "{connection}",
      description: "Most connections to the database at once",
      points: () => [{ attributes, value: read().max }],
    },
  ];
}

/** Counts of the server's processes. */
export interface WorkerCounts {
  /** Processes whose figures are in these metrics. */
  readonly serving: number;
  /** Processes that did not answer in time, whose last figures are here. */
  readonly silent: number;
  /** Processes that have ended, or are starting. */
  readonly down: number;
}

/** Returns the metric that counts the processes behind the other metrics. */
export function workersMetric(counts: WorkerCounts): NumberMetric {
  return {
    name: WORKERS_NAME,
    kind: "upDownCounter",
    unit: "{process}",
    description: "Processes of the server, by whether their figures are in these metrics",
    points: () => Object.entries(counts).map(([state, value]) => ({ attributes: { state }, value })),
  };
}

function pointsBy(attribute: string, read: () => Numbers): NumberMetric["points"] {
  return () => Array.from(read(), ([name, value]) => ({ attributes: { [attribute]: name }, value }));
}

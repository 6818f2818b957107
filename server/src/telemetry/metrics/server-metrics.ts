import type { Histogram } from "../../runtime/histogram.ts";
import type { Metric, NumberMetric } from "./metric.ts";

/** Named numbers, one for each value of a metric's only attribute. */
type Numbers = Iterable<readonly [name: string, value: number]>;

/** Places where the server's own numbers are, each read when somebody asks for the metrics. */
export interface ServerNumbers {
  /** Open calls: `unary` and `stream`. */
  openCalls(): Numbers;
  /** Open connections, by protocol. */
  connections(): Numbers;
  /** Refusals since the start, by reason. */
  refusals(): Numbers;
  /** Writes by transaction, where the database joins them. */
  readonly commitSizes: Histogram | undefined;
  /** Age of the oldest change that watchers have not been sent, in seconds. */
  feedLag(): number;
}

/** Lists the metrics of the server itself. A part that is not there has none. */
export function createServerMetrics({
  openCalls,
  connections,
  refusals,
  commitSizes,
  feedLag,
}: ServerNumbers): Metric[] {
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
  return metrics;
}

function pointsBy(attribute: string, read: () => Numbers): NumberMetric["points"] {
  return () => Array.from(read(), ([name, value]) => ({ attributes: { [attribute]: name }, value }));
}

import type { Contestant } from "../contestants.ts";
import type { Context } from "../context.ts";

/** Something that a workload measures. */
export interface Metric {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  /** Number of decimals. */
  readonly digits: number;
  /** Whether it is compared with the bare limits. */
  readonly isRate?: boolean;
}

/** One round's figures, by the names of the metrics. A figure that is not available here is left out. */
export type Sample = Readonly<Record<string, number | undefined>>;

/** A contestant that is ready to be measured, round by round. */
export interface Session extends AsyncDisposable {
  measure(): Promise<Sample>;
}

export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly metrics: readonly Metric[];
  /** Names of contestants, in the order of the table. */
  readonly contestants: readonly string[];
  /** The contestant that is the limit of node:http2. Default `bare-http2`. */
  readonly limit?: string | undefined;
  /** The contestant that is the limit of node:http. Default `bare-http`. */
  readonly httpLimit?: string | undefined;
  readonly needsH2load: boolean;
  /** Most rounds. Default: the number on the command line. */
  readonly maxRounds?: number | undefined;
  /** Starts and checks a contestant, and warms it up. */
  open(context: Context, contestant: Contestant): Promise<Session>;
}

/** Creates the metric of the contestant's CPU time for one call, message or MB. */
export function cpuMetric(of: string): Metric {
  return { name: "cpuMicros", title: `CPU µs a ${of}`, unit: "µs", digits: of === "message" ? 2 : 1 };
}

import type { Machine } from "./machine.ts";
import type { Options } from "./options.ts";
import type { Spread } from "./statistics.ts";
import type { Metric } from "./workloads/workload.ts";

/** A contestant's figures in a workload. */
export interface Entry {
  readonly contestant: string;
  readonly label: string;
  /** By the names of the metrics. */
  readonly values: Readonly<Record<string, Spread>>;
  /** Its rate, divided by that of bare node:http2 or node:http in the same rounds. */
  readonly ofHttp2: number | undefined;
  readonly ofHttp: number | undefined;
}

export interface WorkloadResult {
  readonly name: string;
  readonly title: string;
  readonly metrics: readonly Metric[];
  readonly entries: readonly Entry[];
}

/** Result of a run, as written to JSON. */
export interface Results {
  readonly startedAt: string;
  readonly commit: string | undefined;
  readonly machine: Machine;
  readonly options: Pick<Options, "rounds" | "seconds">;
  /** Measurements that were not possible, each with the reason. */
  readonly leftOut: readonly string[];
  readonly workloads: readonly WorkloadResult[];
}

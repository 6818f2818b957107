import { Histogram } from "../runtime/histogram.ts";

/** Figures of a database for the metrics of its server. One that a database does not have is left out. */
export interface RepositoryStats {
  /** Name of the database system by OpenTelemetry's conventions, such as `sqlite`. */
  readonly system: string;
  /** Writes by transaction. */
  readonly commitSizes?: Histogram;
}

/** Creates the figures of a database that joins writes into transactions. */
export function createCommitStats(system: string): Required<RepositoryStats> {
  return { system, commitSizes: new Histogram([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]) };
}

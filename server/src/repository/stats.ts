import { Histogram } from "../runtime/histogram.ts";

/** Figures of a database for the metrics of its server. One that a database does not have is left out. */
export interface RepositoryStats {
  /** Writes by transaction. */
  readonly commitSizes?: Histogram;
}

/** Creates the figures of a database that joins writes into transactions. */
export function createCommitStats(): Required<Pick<RepositoryStats, "commitSizes">> {
  return { commitSizes: new Histogram([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]) };
}

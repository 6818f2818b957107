import { Histogram } from "../runtime/histogram.ts";

/** Connections of a pool at the moment. */
export interface ConnectionCounts {
  /** Connections that are running something. */
  readonly used: number;
  readonly idle: number;
  /** Callers that wait for a connection. */
  readonly waiting: number;
  /** Most connections at the same time. */
  readonly max: number;
}

/** Figures of a database for the metrics of its server. A figure that a database does not have is left out. */
export interface RepositoryStats {
  /** Name of the database system by OpenTelemetry's conventions, such as `sqlite`. */
  readonly system: string;
  /** Address of its server, for the spans of its queries; a file has none. */
  readonly server?: { readonly host: string; readonly port: number; readonly database: string };
  /** Returns the database's own code of an error; undefined if it has none. */
  readonly codeOf?: (error: unknown) => string | undefined;
  /** Writes by transaction. */
  readonly commitSizes?: Histogram;
  /** Reads the state of its pool of connections. */
  readonly connections?: () => ConnectionCounts;
}

/** Creates the figures of a database that groups writes into transactions. */
export function createCommitStats(system: string): RepositoryStats & { commitSizes: Histogram } {
  return { system, commitSizes: new Histogram([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]) };
}

import { type PostgresServer, startPostgres } from "./start-postgres.ts";

/**
 * Parts of a server that tests of one process may share: they have their own databases and sessions, but must not stop
 * it.
 */
export type SharedPostgres = Pick<
  PostgresServer,
  "port" | "log" | "urlOf" | "createDatabase" | "createSchema" | "query"
>;

let starting: Promise<PostgresServer> | undefined;

/**
 * Returns the PostgreSQL server that all test files of this process share; the first caller starts it. It ends with the
 * process.
 */
export function sharedPostgres(): Promise<SharedPostgres> {
  starting ??= startPostgres({ isShared: true });
  return starting;
}

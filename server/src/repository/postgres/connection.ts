import pg from "pg";
import type { Statement } from "./statements.ts";

/** Where a PostgreSQL database is and how to get in. */
export interface PostgresAddress {
  /** Name or IP address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Undefined where the server asks for none. */
  readonly password: string | undefined;
  readonly database: string;
  readonly applicationName?: string | undefined;
  /** TLS: false for none, or what to check of the server's certificate. */
  readonly tls: false | PostgresTls;
  /** Whether a pooler hands each transaction another connection: no prepared statement has a name then. */
  readonly isPooled?: boolean | undefined;
}

export interface PostgresTls {
  /** "nothing" encrypts only; "issuer" checks who signed the certificate; "all" checks its name too. */
  readonly verify: "nothing" | "issuer" | "all";
  /** Certificates of the authorities, in PEM. Default: those of Node.js. */
  readonly ca?: string | undefined;
}

/** Bounds of every wait, in milliseconds. */
export interface PostgresTimeouts {
  /** For a connection, a free one included. */
  readonly connectMs: number;
  /** For an answer, before the server counts as away. */
  readonly answerMs: number;
  /** For a statement, by the server: less than for the answer, so that a slow one is not taken for a silent server. */
  readonly statementMs: number;
  /** For a lock that another transaction holds, by the server. */
  readonly lockMs: number;
  /** For the next statement of a transaction, by the server: if this process hangs, its locks are free after that. */
  readonly idleInTransactionMs: number;
  /** For the answer to a COMMIT, before its outcome is asked for on another connection. */
  readonly commitMs: number;
  /** For a whole call: its wait, its statements and its commit. */
  readonly callMs: number;
}

/** Divides the time of a call among its waits. */
export function timeoutsFor(callMs: number): PostgresTimeouts {
  const share = (part: number) => Math.max(1, Math.round(callMs * part));
  return {
    connectMs: share(0.6),
    answerMs: share(0.85),
    statementMs: share(0.7),
    lockMs: share(0.4),
    idleInTransactionMs: share(5),
    commitMs: share(0.6),
    // The rest is for the way to the caller.
    callMs: share(0.9),
  };
}

/** Type id of bigint, which is a number here: all of ours are safe integers. */
const BIGINT = 20;

const types = {
  getTypeParser: (id: number, format?: "text" | "binary") =>
    id === BIGINT ? Number : pg.types.getTypeParser(id, format as "text"),
} as unknown as pg.CustomTypesConfig;

/** Returns the driver's settings of a connection. */
export function clientConfig(address: PostgresAddress, timeouts: PostgresTimeouts): pg.ClientConfig {
  const { tls } = address;
  return {
    host: address.host,
    port: address.port,
    user: address.user,
    // A function, since the driver would take PGPASSWORD or a file for a password that is missing or empty.
    password: () => address.password ?? "",
    database: address.database,
    application_name: address.applicationName ?? "rollcall",
    ssl: tls && {
      rejectUnauthorized: tls.verify !== "nothing",
      ...(tls.ca !== undefined && { ca: tls.ca }),
      ...(tls.verify === "issuer" && { checkServerIdentity: () => undefined }),
    },
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: timeouts.connectMs,
    query_timeout: timeouts.answerMs,
    types,
    // Several statements are on their way at once: a batch costs two or three round trips, however many it has.
    ...{ pipeline: true },
    // A pooler passes on no settings of a session, and refuses those it does not know: `SET LOCAL` has them there.
    ...(address.isPooled
      ? {}
      : {
          statement_timeout: timeouts.statementMs,
          lock_timeout: timeouts.lockMs,
          idle_in_transaction_session_timeout: timeouts.idleInTransactionMs,
        }),
  };
}

/** Returns the bounds of the server for one transaction, for connections that can't have them for a session. */
export function localBounds({ statementMs, lockMs, idleInTransactionMs }: PostgresTimeouts): string {
  return (
    `SET LOCAL statement_timeout = ${statementMs}; SET LOCAL lock_timeout = ${lockMs}; ` +
    `SET LOCAL idle_in_transaction_session_timeout = ${idleInTransactionMs}`
  );
}

/** Returns the query of a statement. */
export function toQuery(
  { name, text }: Statement,
  values: readonly unknown[],
  isPooled: boolean | undefined,
  timeoutMs: number,
): pg.QueryConfig {
  return {
    text,
    ...(values.length > 0 && { values: [...values] }),
    ...(name !== undefined && !isPooled && { name }),
    ...{ query_timeout: Math.max(1, Math.ceil(timeoutMs)) },
  };
}

/** Opens a connection of its own, outside of the pool. The caller has to end it. */
export async function connectAlone(address: PostgresAddress, timeouts: PostgresTimeouts): Promise<pg.Client> {
  const client = new pg.Client(clientConfig(address, timeouts));
  // A query under way reports the error too; without a listener it would end the process.
  client.on("error", () => {});
  await client.connect();
  return client;
}

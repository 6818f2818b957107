import pg from "pg";
import type { PostgresAddress } from "./options.ts";
import type { Statement } from "./statements.ts";

/** Bounds on every wait, in milliseconds. */
export interface PostgresTimeouts {
  /** For a connection, new or from the pool. */
  readonly connectMs: number;
  /** For an answer, before the server counts as unavailable. */
  readonly answerMs: number;
  /**
   * For a statement, enforced by the server. It is less than for the answer, so that a slow statement is not taken for
   * a silent server.
   */
  readonly statementMs: number;
  /** For a lock that another transaction holds, enforced by the server. */
  readonly lockMs: number;
  /**
   * For the next statement of a transaction, enforced by the server: if this process hangs, its locks are released
   * after that.
   */
  readonly idleInTransactionMs: number;
  /** For the answer to a COMMIT, before another connection is used to find out its outcome. */
  readonly commitMs: number;
  /** For a whole call: its wait, its statements and its commit. */
  readonly callMs: number;
}

/** Divides the time of a call between its waits. */
export function timeoutsFor(callMs: number): PostgresTimeouts {
  const share = (part: number) => Math.max(1, Math.round(callMs * part));
  return {
    connectMs: share(0.6),
    answerMs: share(0.85),
    statementMs: share(0.7),
    lockMs: share(0.4),
    idleInTransactionMs: share(5),
    commitMs: share(0.6),
    // The rest is for the answer's way to the caller.
    callMs: share(0.9),
  };
}

/** Type id of bigint. It becomes a number here, since all of ours are safe integers. */
const BIGINT = 20;

const types = {
  getTypeParser: (id: number, format?: "text" | "binary") =>
    id === BIGINT ? Number : pg.types.getTypeParser(id, format as "text"),
} as unknown as pg.CustomTypesConfig;

/** Returns the driver's settings for a connection. */
export function clientConfig(address: PostgresAddress, timeouts: PostgresTimeouts): pg.ClientConfig {
  const { tls } = address;
  return {
    host: address.host,
    port: address.port,
    user: address.user,
    // A function, since the driver would replace a missing or empty password by PGPASSWORD or one from a file.
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
    // Several statements are sent without waiting for answers: a batch costs two or three round trips, however many it
    // has.
    ...{ pipeline: true },
    // A pooler does not pass on settings of a session, and refuses unknown ones. Behind it, `SET LOCAL` sets them for
    // each transaction.
    ...(address.isPooled
      ? {}
      : {
          statement_timeout: timeouts.statementMs,
          lock_timeout: timeouts.lockMs,
          idle_in_transaction_session_timeout: timeouts.idleInTransactionMs,
        }),
  };
}

/** Returns the server's bounds as settings of one transaction, for connections that can't have them for a session. */
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

/** Opens a connection outside of the pool. The caller has to end it. */
export async function connectAlone(address: PostgresAddress, timeouts: PostgresTimeouts): Promise<pg.Client> {
  const client = new pg.Client(clientConfig(address, timeouts));
  // A pending query reports the error too. Without a listener it would end the process.
  client.on("error", () => {});
  await client.connect();
  return client;
}

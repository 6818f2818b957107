import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { DatabaseUnavailableError } from "../../domain/errors.ts";
import type { DatabaseNotice } from "../database-open.ts";
import type { ConnectionCounts } from "../stats.ts";
import { clientConfig, connectAlone, localBounds, type PostgresTimeouts, toQuery } from "./connection.ts";
import { isAway, isRefusal, toDomainError } from "./errors.ts";
import type { PostgresAddress } from "./options.ts";
import type { Statement } from "./statements.ts";
import { wordsFor } from "./words-for.ts";

/** Calls that may wait for a connection; further ones are refused. */
const MAX_WAITING = 1_024;
/** Time between two attempts to reach an unavailable server. */
const PROBE_INTERVAL_MS = 200;
/** Age at which a connection is replaced, so that a changed name or a new server is noticed. */
const MAX_LIFETIME_S = 1_800;
const IDLE_TIMEOUT_MS = 60_000;

export interface PostgresPoolOptions {
  readonly address: PostgresAddress;
  readonly timeouts: PostgresTimeouts;
  readonly maxConnections: number;
  readonly onNotice?: ((notice: DatabaseNotice) => void) | undefined;
}

/**
 * Connections to a PostgreSQL server, and whether it can be reached. While it can't, calls are refused immediately, and
 * repeated attempts, one at a time, find out when it is back. Each change is logged in one line.
 */
export class PostgresPool {
  readonly address: PostgresAddress;
  readonly timeouts: PostgresTimeouts;
  readonly maxConnections: number;
  readonly #options: PostgresPoolOptions;
  #pool: pg.Pool;
  /** Reason why the server is unavailable; undefined while it is available. */
  #away: unknown;
  #isClosed = false;

  constructor(options: PostgresPoolOptions) {
    this.#options = options;
    this.address = options.address;
    this.timeouts = options.timeouts;
    this.maxConnections = options.maxConnections;
    this.#pool = this.#createPool();
  }

  /** @throws DatabaseUnavailableError */
  assertUsable(): void {
    if (this.#isClosed) throw new DatabaseUnavailableError();
    if (this.#away !== undefined) throw toDomainError(this.#away);
  }

  /**
   * Runs one statement that changes nothing, or is a transaction of its own. Returns its rows.
   *
   * @throws DatabaseUnavailableError within the time of a call.
   */
  async query<T extends pg.QueryResultRow>(statement: Statement, values: readonly unknown[] = []): Promise<T[]> {
    const startedAtMs = performance.now();
    const client = await this.connect();
    let failure: unknown;
    try {
      const leftMs = this.timeouts.callMs - (performance.now() - startedAtMs);
      const query = toQuery(statement, values, this.address.isPooled, Math.min(leftMs, this.timeouts.answerMs));
      const { rows } = await (this.address.isPooled ? this.#queryBounded<T>(client, query) : client.query<T>(query));
      return rows;
    } catch (error) {
      failure = error;
      throw this.explain(error);
    } finally {
      this.release(client, failure);
    }
  }

  /**
   * Takes a connection out of the pool.
   *
   * @throws DatabaseUnavailableError
   */
  async connect(): Promise<pg.PoolClient> {
    this.assertUsable();
    const pool = this.#pool;
    if (pool.waitingCount >= MAX_WAITING) throw new DatabaseUnavailableError();
    try {
      return await pool.connect();
    } catch (error) {
      throw this.explain(error);
    }
  }

  /** Gives a connection back. Ends it if its state may be unknown. */
  release(client: pg.PoolClient, failure?: unknown): void {
    client.release(failure !== undefined && !isRefusal(failure));
  }

  /**
   * Returns the error to throw in place of a driver's error, and remembers if that means that the server is
   * unavailable.
   */
  explain(error: unknown): unknown {
    if (isAway(error)) this.#lose(error);
    return toDomainError(error);
  }

  /** Runs a query in a transaction with its own bounds, in the same round trip. */
  async #queryBounded<T extends pg.QueryResultRow>(client: pg.PoolClient, query: pg.QueryConfig) {
    const { query_timeout } = query as { query_timeout?: number };
    const begun = client.query({ text: `BEGIN; ${localBounds(this.timeouts)}`, ...{ query_timeout } });
    const result = client.query<T>(query);
    const settled = await Promise.allSettled([begun, result, client.query({ text: "COMMIT", ...{ query_timeout } })]);
    for (const outcome of settled) if (outcome.status === "rejected") throw outcome.reason;
    return result;
  }

  /** Counts the connections. Nobody waits while the server is unavailable, since calls are refused. */
  counts(): ConnectionCounts {
    const { totalCount, idleCount, waitingCount } = this.#pool;
    return { used: totalCount - idleCount, idle: idleCount, waiting: waitingCount, max: this.maxConnections };
  }

  /** Ends all connections once they are free. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#pool.end();
  }

  #createPool(): pg.Pool {
    const pool = new pg.Pool({
      ...clientConfig(this.address, this.timeouts),
      max: this.maxConnections,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
      maxLifetimeSeconds: MAX_LIFETIME_S,
    });
    // An idle connection was lost. The next call finds out whether the server is lost too.
    pool.on("error", ignore);
    // The pending query reports the error of a connection in use. Without a listener the error would end the process. It
    // may come in the same read as the connection's first words, before the caller has the connection.
    pool.on("connect", (client) => client.on("error", ignore));
    return pool;
  }

  #lose(error: unknown): void {
    if (this.#away !== undefined || this.#isClosed) return;
    this.#away = error;
    const message = `${wordsFor(error, this.address)}: nothing is read or written until it answers again`;
    this.#options.onNotice?.({ level: "error", message });
    // Surviving connections may lead to a server that is no longer the right one.
    const lost = this.#pool;
    this.#pool = this.#createPool();
    void lost.end();
    void this.#findAgain();
  }

  async #findAgain(): Promise<void> {
    while (!this.#isClosed) {
      try {
        const client = await connectAlone(this.address, this.timeouts);
        try {
          await client.query("SELECT 1");
        } finally {
          void client.end();
        }
        break;
      } catch (error) {
        this.#away = error;
      }
      await delay(PROBE_INTERVAL_MS, undefined, { ref: false });
    }
    this.#away = undefined;
    if (this.#isClosed) return;
    this.#options.onNotice?.({ level: "info", message: `${wordsFor(undefined, this.address)} answers again` });
  }
}

function ignore(): void {}

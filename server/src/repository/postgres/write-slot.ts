import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { connectAlone, toQuery } from "./connection.ts";
import { isRefusal } from "./errors.ts";
import type { PostgresPool } from "./pool.ts";
import { refuseWarnings } from "./refuse-warnings.ts";
import { statements } from "./statements.ts";

/** Time between two attempts to find out the outcome of a commit, in milliseconds. */
const RETRY_MS = 50;

/**
 * Row of this process in `write_slots`. Each of its transactions marks the row with a token of its own. If the answer
 * to a COMMIT is lost, the row shows whether the transaction was committed.
 *
 * `pg_xact_status` alone is not enough: the number of a transaction that was lost in a crash is used again, and the
 * function then reports the outcome of the other transaction.
 */
export class WriteSlot {
  readonly #pool: PostgresPool;
  #id: string | undefined;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  /**
   * Returns the row's key. If there is no row, creates it first; otherwise transactions could not wait for each other
   * at it.
   */
  async id(): Promise<string> {
    if (this.#id === undefined) {
      const id = randomUUID();
      await this.#pool.query(statements.dropOldSlots);
      await this.#pool.query(statements.addSlot, [id]);
      this.#id = id;
    }
    return this.#id;
  }

  /** Gives up the row, since a transaction with an unknown outcome may still change it. The next one gets a new row. */
  abandon(): void {
    this.#id = undefined;
  }

  /**
   * Finds out on a new connection whether the transaction with this token was committed. The statement waits for the
   * end of that transaction, which holds a lock on the row. It changes the row, so that its own commit, and with it the
   * earlier one, reach a synchronous standby before anybody gets an answer.
   *
   * @returns undefined if it can't be found out until the deadline, by `performance.now()`.
   */
  async hasCommitted(token: string, deadlineMs: number): Promise<boolean | undefined> {
    const { address, timeouts } = this.#pool;
    while (performance.now() < deadlineMs) {
      try {
        const client = await connectAlone(address, { ...timeouts, connectMs: msUntil(deadlineMs) });
        try {
          const query = toQuery(statements.readSlot, [this.#id], true, msUntil(deadlineMs));
          const { rows } = await refuseWarnings(client, () => client.query<{ token: string }>(query));
          return rows[0] && rows[0].token === token;
        } finally {
          void client.end();
        }
      } catch (error) {
        // A standby, or a server that is starting, may soon accept writes.
        if (isRefusal(error) && msUntil(deadlineMs) < 2 * RETRY_MS) return undefined;
        await delay(Math.min(RETRY_MS, msUntil(deadlineMs)));
      }
    }
    return undefined;
  }
}

function msUntil(deadlineMs: number): number {
  return Math.max(1, deadlineMs - performance.now());
}

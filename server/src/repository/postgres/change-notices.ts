import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { connectAlone } from "./connection.ts";
import type { PostgresPool } from "./pool.ts";
import { CHANGE_CHANNEL, statements } from "./statements.ts";

/**
 * Time in which commits are gathered for one NOTIFY, in milliseconds. A NOTIFY takes a lock of the whole cluster while
 * it commits. They are therefore few, and none is in a transaction of writes.
 */
const GATHER_MS = 15;
/** Waits before a lost connection is opened again: the first one, which then doubles each time, up to the last. */
const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 30_000;
/** Age at which the connection is replaced; it is the same for the pool's. */
const MAX_LIFETIME_MS = 1_800_000;

/**
 * Notifies other servers on the same database that changes were committed, and receives their notices. A notice may be
 * late or lost. That is harmless, since every reader of changes also polls.
 */
export class ChangeNotices {
  readonly #pool: PostgresPool;
  readonly #onNotice: () => void;
  /** Distinguishes our own notices from those of others. */
  readonly #id: string = randomUUID();
  /** Set while a notice waits or is being sent: one at a time. */
  #sendTimer: NodeJS.Timeout | undefined;
  #isDue = false;
  #listening: AbortController | undefined;
  #isClosed = false;

  /** @param onNotice Called when another server may have committed changes. */
  constructor(pool: PostgresPool, onNotice: () => void) {
    this.#pool = pool;
    this.#onNotice = onNotice;
  }

  /** Notifies other servers soon. */
  send(): void {
    this.#isDue = true;
    if (this.#isClosed) return;
    this.#sendTimer ??= setTimeout(() => void this.#sendNow(), GATHER_MS).unref();
  }

  /**
   * Begins to listen, on a connection of its own. That is impossible behind a pooler, which passes connections from one
   * client to another.
   */
  listen(): void {
    if (this.#isClosed || this.#listening || this.#pool.address.isPooled) return;
    this.#listening = new AbortController();
    void this.#keepListening(this.#listening.signal);
  }

  stopListening(): void {
    this.#listening?.abort();
    this.#listening = undefined;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#sendTimer);
    this.stopListening();
  }

  async #sendNow(): Promise<void> {
    this.#isDue = false;
    // The pool has already logged that the server is unavailable.
    await this.#pool.query(statements.notifyChanges, [this.#id]).catch(() => {});
    this.#sendTimer = undefined;
    if (this.#isDue) this.send();
  }

  async #keepListening(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      const hasListened = await this.#listenOnce(signal).catch(() => false);
      if (hasListened) failures = 0;
      const longestMs = Math.min(FIRST_RETRY_MS * 2 ** failures, MAX_RETRY_MS);
      // The wait is random, so that servers that lost their connections at the same time don't all come back at the
      // same time.
      await delay(longestMs * (0.5 + Math.random() / 2), undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** Listens until the connection ends. Resolves to true. Rejects if it could not listen. */
  async #listenOnce(signal: AbortSignal): Promise<boolean> {
    const { address, timeouts } = this.#pool;
    const client = await connectAlone(address, timeouts);
    try {
      const ended = once(client, "end", { signal: AbortSignal.any([signal, AbortSignal.timeout(MAX_LIFETIME_MS)]) });
      ended.catch(() => {});
      client.on("notification", ({ payload }: pg.Notification) => {
        if (payload !== this.#id && !signal.aborted) this.#onNotice();
      });
      await client.query(`LISTEN ${CHANGE_CHANNEL}`);
      // Nothing that was committed before this moment was announced here.
      if (!signal.aborted) this.#onNotice();
      await ended.catch(() => {});
      return true;
    } finally {
      void client.end();
    }
  }
}

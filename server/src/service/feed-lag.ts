import { FEED_LAG_INTERVAL_MS } from "../limits.ts";
import type { ChangeLog, OpenTransaction } from "../repository/change-log.ts";
import type { UserChanges } from "./user-changes.ts";

export interface FeedLagOptions {
  log: ChangeLog;
  watched: Pick<UserChanges, "place">;
  /** Interval of the measurements, in milliseconds. */
  intervalMs?: number | undefined;
  /** Returns milliseconds since the Unix epoch. */
  now(): number;
  /** Called once with a transaction that holds up changes in two measurements in a row. */
  onStall(transaction: OpenTransaction, lagMs: number): void;
  /** Called when that transaction no longer holds up changes. */
  onEnd(): void;
}

/** Measures how far watchers are behind the committed changes, and finds the transaction that holds them up. */
export class FeedLag {
  /**
   * Age of the oldest committed change that watchers have not been sent, or can't be sent yet, at the last measurement.
   * 0 if there is none.
   */
  lagMs = 0;
  readonly #options: FeedLagOptions;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  /** Transaction that the last measurement found. */
  #found: OpenTransaction | undefined;
  #reportedId: string | undefined;

  constructor(options: FeedLagOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), this.#options.intervalMs ?? FEED_LAG_INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Measures now. While the database is unavailable, the figure stays as it was. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { log, watched, now } = this.#options;
    try {
      const unread = await log.unread(watched.place);
      this.lagMs = unread ? Math.max(0, now() - unread.sinceMs) : 0;
      this.#report(unread?.heldUpBy);
    } catch {
      // Errors of the database are reported by those who read the log.
    } finally {
      this.#isLooking = false;
    }
  }

  #report(transaction: OpenTransaction | undefined): void {
    const isSecondLook = transaction !== undefined && transaction.id === this.#found?.id;
    this.#found = transaction;
    if (isSecondLook && this.#reportedId !== transaction.id) {
      this.#reportedId = transaction.id;
      this.#options.onStall(transaction, this.lagMs);
    } else if (!transaction && this.#reportedId !== undefined) {
      this.#reportedId = undefined;
      this.#options.onEnd();
    }
  }
}

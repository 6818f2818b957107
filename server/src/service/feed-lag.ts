import { FEED_LAG_INTERVAL_MS } from "../limits.ts";
import type { ChangeLog, OpenTransaction } from "../repository/change-log.ts";
import type { UserChanges } from "./user-changes.ts";

export interface FeedLagOptions {
  log: ChangeLog;
  watched: Pick<UserChanges, "place">;
  /** Time between two looks, in milliseconds. */
  intervalMs?: number | undefined;
  /** Returns milliseconds since the Unix epoch. */
  now(): number;
  /** Called with a transaction that holds up changes in two looks, once. */
  onStall(transaction: OpenTransaction, lagMs: number): void;
  /** Called when it no longer does. */
  onEnd(): void;
}

/** Measures how far watchers are behind what is committed, and finds the transaction that holds them up. */
export class FeedLag {
  /** Age of the oldest committed change that watchers have not been sent, or can't be, at the last look; 0 without one. */
  lagMs = 0;
  readonly #options: FeedLagOptions;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  /** Transaction that was found by the last look. */
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

  /** Looks now. While the database is away the figure stays as it was. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { log, watched, now } = this.#options;
    try {
      const unread = await log.unread(watched.place);
      this.lagMs = unread ? Math.max(0, now() - unread.sinceMs) : 0;
      this.#report(unread?.heldUpBy);
    } catch {
      // Whoever reads the log reports what is wrong with the database.
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

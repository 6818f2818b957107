import { AnswerPace } from "./answer-pace.ts";
import type { CallBytes } from "./call-bytes.ts";
import type { ConnectionBytes } from "./connection-bytes.ts";

/** Time between two checks of what is held. */
const CHECK_INTERVAL_MS = 500;
/** Bytes that each connection may hold, however many connections there are. */
export const MIN_SHARE_BYTES = 64 * 1_024;
/** Calls of the process that may be fresh at once while it holds more than `PACED_SHARE` of its limit. */
const MAX_FRESH_CALLS = 16;
const PACED_SHARE = 1 / 8;

export interface ByteBudgetOptions {
  /** Limit for the calls of one connection: incomplete requests and answers that have not left. */
  maxConnectionBytes: number;
  /** Limit for all calls of the process. */
  maxHeldBytes: number;
  /** Called when a call has been ended because it blocked others. */
  onEnded?: (() => void) | undefined;
}

interface Waiter {
  isReady(): boolean;
  resume(): void;
}

/** Bounds the bytes that the process holds for requests and answers, and shares them among connections. */
export class ByteBudget {
  readonly options: ByteBudgetOptions;
  readonly pace: AnswerPace;
  /** Connections with open calls. */
  readonly connections = new Set<ConnectionBytes>();
  /** Calls whose messages are incomplete, oldest first. */
  readonly holders = new Set<CallBytes>();
  heldBytes = 0;
  /**
   * Time that calls have been watched for, in milliseconds: so much for each check, however long ago the last one was.
   * While the loop is busy, neither what clients send nor what they read can be seen.
   */
  watchedMs = 0;
  readonly #waiters = new Set<Waiter>();
  #isWaking = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ByteBudgetOptions) {
    this.options = options;
    this.pace = new AnswerPace({
      maxFreshCalls: MAX_FRESH_CALLS,
      hasRoom: () => this.hasRoom,
    });
  }

  /** Returns whether so little is held that calls need no pace. */
  get hasRoom(): boolean {
    return this.heldBytes < this.options.maxHeldBytes * PACED_SHARE;
  }

  get isOver(): boolean {
    return this.heldBytes > this.options.maxHeldBytes;
  }

  /** Bytes that one connection may hold while the process holds too many. */
  get shareBytes(): number {
    return Math.max(MIN_SHARE_BYTES, this.options.maxHeldBytes / Math.max(1, this.connections.size));
  }

  /**
   * Resolves when something has changed and `isReady` returns true. Waiters are asked in order, so that one sees what
   * those ahead of it have taken.
   */
  when(isReady: () => boolean): Promise<void> {
    return new Promise((resume) => this.#waiters.add({ isReady, resume }));
  }

  /** Asks the waiters again, once for all changes of a turn of the event loop. */
  wake(): void {
    if (this.#isWaking || this.#waiters.size === 0) return;
    this.#isWaking = true;
    setImmediate(() => {
      this.#isWaking = false;
      for (const waiter of this.#waiters) {
        if (!waiter.isReady()) continue;
        this.#waiters.delete(waiter);
        waiter.resume();
      }
    });
  }

  watch(connection: ConnectionBytes): void {
    this.connections.add(connection);
    this.#timer ??= setTimeout(() => this.#check(), CHECK_INTERVAL_MS).unref();
  }

  #check(): void {
    this.watchedMs += CHECK_INTERVAL_MS;
    for (const connection of this.connections) connection.sum();
    for (const connection of this.connections) connection.check();
    this.wake();
    this.#timer = undefined;
    if (this.connections.size > 0) this.#timer = setTimeout(() => this.#check(), CHECK_INTERVAL_MS).unref();
  }
}

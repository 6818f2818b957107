import { AnswerPace } from "./answer-pace.ts";
import type { CallBytes } from "./call-bytes.ts";
import type { ConnectionBytes } from "./connection-bytes.ts";

/** Between two looks at what is held. */
const CHECK_INTERVAL_MS = 500;
/** What each connection may hold, however many there are. */
export const MIN_SHARE_BYTES = 64 * 1_024;
/** Calls of the process that are handled at once while it holds more than this part of what it may hold. */
const MAX_FRESH_CALLS = 16;
const PACED_SHARE = 1 / 8;

export interface ByteBudgetOptions {
  /** For the calls of one connection: requests that are not complete, and answers that have not left. */
  maxConnectionBytes: number;
  /** For all calls of the process. */
  maxHeldBytes: number;
  /** Called when a call was ended because it was in the way. */
  onEnded?: (() => void) | undefined;
}

interface Waiter {
  isReady(): boolean;
  resume(): void;
}

/** Bounds what the process holds of requests and answers, and who may hold it. */
export class ByteBudget {
  readonly options: ByteBudgetOptions;
  readonly pace: AnswerPace;
  /** Connections with calls under way. */
  readonly connections = new Set<ConnectionBytes>();
  /** Calls whose messages are not complete, the eldest first. */
  readonly holders = new Set<CallBytes>();
  heldBytes = 0;
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

  /** Whether so little is held that calls need no pace. */
  get hasRoom(): boolean {
    return this.heldBytes < this.options.maxHeldBytes * PACED_SHARE;
  }

  get isOver(): boolean {
    return this.heldBytes > this.options.maxHeldBytes;
  }

  /** What a connection may hold while the process holds too much. */
  get shareBytes(): number {
    return Math.max(MIN_SHARE_BYTES, this.options.maxHeldBytes / Math.max(1, this.connections.size));
  }

  /**
   * Resolves when something has changed and `isReady` returns true. Those who wait are
   * asked in their order: what one of them takes, the next one finds taken.
   */
  when(isReady: () => boolean): Promise<void> {
    return new Promise((resume) => this.#waiters.add({ isReady, resume }));
  }

  /** Has those who wait asked, once for all changes of a turn of the event loop. */
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
    for (const connection of this.connections) connection.sum();
    for (const connection of this.connections) connection.check();
    this.wake();
    this.#timer = undefined;
    if (this.connections.size > 0) this.#timer = setTimeout(() => this.#check(), CHECK_INTERVAL_MS).unref();
  }
}

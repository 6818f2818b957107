import { MIN_WINDOW } from "./paced-line.ts";

/** How often the loop's delay is looked at, and how often in a row it has to be too long, for it to be no burst. */
const LOOK_INTERVAL_MS = 100;
const MIN_LOOKS = 8;
/** How the calls that are let in between two looks become fewer, and more again. */
const FEWER = 0.8;
const MORE = 1.25;
/** Part of them that is open to connections with much under way. */
const HEAVY_SHARE = 1 / 2;

/**
 * Bounds the calls that are let in while timers are late, whatever makes them late: messages of streams, work in the
 * background, other processes. Calls that are few, and so never wait in line, would show nothing of it.
 *
 * A long turn is no overload. Only when timers were late at every look for about a second are fewer calls let in from
 * one look to the next, down to a few; when they are in time again, more are.
 */
export class LoopShedding {
  readonly #maxDelayMs: number;
  readonly #isHeavy: (connection: object) => boolean;
  #lateLooks = 0;
  /** Calls let in since the last look, and how many may be. */
  #entered = 0;
  #room = Number.POSITIVE_INFINITY;

  /** @param isHeavy Returns whether a connection has much under way. */
  constructor(maxDelayMs: number, isHeavy: (connection: object) => boolean) {
    this.#maxDelayMs = maxDelayMs;
    this.#isHeavy = isHeavy;
  }

  mayEnter(connection: object): boolean {
    if (this.#entered < this.#room * HEAVY_SHARE) return true;
    return this.#entered < this.#room && !this.#isHeavy(connection);
  }

  noteEntered(): void {
    this.#entered += 1;
  }

  /**
   * Adapts to the delay of a timer, in milliseconds. To be called once in {@link LOOK_INTERVAL_MS}.
   *
   * @returns Whether there is anything to look for: calls, or a bound on them.
   */
  look(delayMs: number): boolean {
    const entered = this.#entered;
    this.#entered = 0;
    this.#lateLooks = delayMs > this.#maxDelayMs ? this.#lateLooks + 1 : 0;
    if (this.#lateLooks >= MIN_LOOKS) this.#room = Math.max(MIN_WINDOW, Math.min(this.#room, entered) * FEWER);
    else if (this.#lateLooks === 0 && this.#room < Number.POSITIVE_INFINITY) {
      // Nobody is refused any more.
      this.#room = entered < this.#room / MORE ? Number.POSITIVE_INFINITY : this.#room * MORE;
    }
    return entered > 0 || this.#room < Number.POSITIVE_INFINITY;
  }
}

/** Watches how late timers are, while calls come: an idle server has no timer. */
export class LoopDelay {
  readonly #look: (delayMs: number) => boolean;
  #isWatching = false;

  /** @param look Called with the delay of each timer; returns whether to go on. */
  constructor(look: (delayMs: number) => boolean) {
    this.#look = look;
  }

  watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    const dueMs = performance.now() + LOOK_INTERVAL_MS;
    setTimeout(() => {
      this.#isWatching = false;
      if (this.#look(Math.max(0, performance.now() - dueMs))) this.watch();
    }, LOOK_INTERVAL_MS).unref();
  }
}

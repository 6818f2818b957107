import { MIN_WINDOW } from "./paced-line.ts";

/**
 * Interval at which the loop's delay is checked, and number of checks in a row that must find it too long. Fewer may be
 * a burst.
 */
const LOOK_INTERVAL_MS = 100;
const MIN_LOOKS = 8;
/** Factors by which the number of calls between two checks falls, and rises again. */
const FEWER = 0.8;
const MORE = 1.25;
/** Share of these calls that is open to connections with much work in flight. */
const HEAVY_SHARE = 1 / 2;

/**
 * Bounds the calls that are let in while timers are late, for any reason: messages of streams, background work, other
 * processes. If calls are so few that they never wait in line, nothing else would notice it.
 *
 * One long turn is no overload. Calls are let in more slowly, down to a few between two checks, only if timers were
 * late at each check for about a second. When timers are on time again, the number rises.
 */
export class LoopShedding {
  readonly #maxDelayMs: number;
  readonly #isHeavy: (connection: object) => boolean;
  #lateLooks = 0;
  /** Calls let in since the last check, and their limit. */
  #entered = 0;
  #room = Number.POSITIVE_INFINITY;

  /** @param isHeavy Returns whether a connection has much work in flight. */
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
   * Adapts to the delay of a timer, in milliseconds. Must be called once in each {@link LOOK_INTERVAL_MS}.
   *
   * @returns Whether checks have to continue: there are calls, or there is a bound on them.
   */
  look(delayMs: number): boolean {
    const entered = this.#entered;
    this.#entered = 0;
    this.#lateLooks = delayMs > this.#maxDelayMs ? this.#lateLooks + 1 : 0;
    if (this.#lateLooks >= MIN_LOOKS) this.#room = Math.max(MIN_WINDOW, Math.min(this.#room, entered) * FEWER);
    else if (this.#lateLooks === 0 && this.#room < Number.POSITIVE_INFINITY) {
      // Lift the bound once it no longer refuses any call.
      this.#room = entered < this.#room / MORE ? Number.POSITIVE_INFINITY : this.#room * MORE;
    }
    return entered > 0 || this.#room < Number.POSITIVE_INFINITY;
  }
}

/** Measures how late timers are, while there are calls: an idle server has no timer. */
export class LoopDelay {
  readonly #look: (delayMs: number) => boolean;
  #isWatching = false;

  /** @param look Called with the delay of each timer; returns whether to continue. */
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

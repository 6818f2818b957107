export interface RateLimiterOptions {
  /** Cost that a key may spend in a second. */
  perSecond: number;
  /** Cost that a key may spend at once after it has spent nothing for a while. */
  burst: number;
  /** Fewest keys that are remembered; there can be twice as many. */
  maxKeys: number;
  /** Returns a monotonic time in milliseconds. */
  now?: (() => number) | undefined;
}

/** Time at which a key's spending is paid off: the "theoretical arrival time" of GCRA, in milliseconds. */
interface Debt {
  untilMs: number;
}

/**
 * Limits how often each key spends, by the generic cell rate algorithm. It needs one number for each key and no timers,
 * and a refused request costs nothing.
 *
 * The keys that spent last are remembered; a forgotten one begins anew. Filling the memory with made-up keys therefore
 * takes nothing from others, and a key that goes on spending is never forgotten.
 */
export class RateLimiter {
  readonly #intervalMs: number;
  readonly #burstMs: number;
  readonly #maxKeys: number;
  readonly #now: () => number;
  /** Keys that have spent since the last change of generations, and those of the generation before. */
  #young = new Map<string, Debt>();
  #old = new Map<string, Debt>();

  constructor({ perSecond, burst, maxKeys, now = () => performance.now() }: RateLimiterOptions) {
    this.#intervalMs = 1_000 / perSecond;
    this.#burstMs = burst * this.#intervalMs;
    this.#maxKeys = maxKeys;
    this.#now = now;
  }

  /** Spends one, if the key may. Returns 0, or the milliseconds to wait until it may. */
  spend(key: string): number {
    const nowMs = this.#now();
    const debt = this.#debtOf(key);
    const untilMs = Math.max(debt.untilMs, nowMs) + this.#intervalMs;
    const waitMs = untilMs - nowMs - this.#burstMs;
    // Sums of fractions have tiny rounding errors.
    if (waitMs > 1e-6) return waitMs;
    debt.untilMs = untilMs;
    return 0;
  }

  /** Gives back one that was spent. */
  refund(key: string): void {
    this.#debtOf(key).untilMs -= this.#intervalMs;
  }

  /** Returns how many more the key may spend now, and the milliseconds until its whole burst is available again. */
  stateOf(key: string): { left: number; fullInMs: number } {
    const spentMs = Math.max(0, this.#debtOf(key).untilMs - this.#now());
    return { left: Math.floor((this.#burstMs - spentMs + 1e-6) / this.#intervalMs), fullInMs: spentMs };
  }

  #debtOf(key: string): Debt {
    const known = this.#young.get(key);
    if (known) return known;
    const debt = this.#old.get(key) ?? { untilMs: 0 };
    if (this.#young.size >= this.#maxKeys) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, debt);
    return debt;
  }
}

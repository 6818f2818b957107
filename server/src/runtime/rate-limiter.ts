export interface RateLimiterOptions {
  /** Cost that a key may spend in a second. */
  perSecond: number;
  /** Cost that a key that has spent nothing may spend at once. */
  burst: number;
  /** Keys that are remembered at least; twice as many at most. */
  maxKeys: number;
  /** Returns a monotonic time in milliseconds. */
  now?: (() => number) | undefined;
}

/** Time at which a key has nothing spent any more: the "theoretical arrival time" of GCRA, in milliseconds. */
interface Debt {
  untilMs: number;
}

/**
 * Limits how often each key spends, by the generic cell rate algorithm: one number a key, no timers, and what is
 * refused costs nothing.
 *
 * The keys that spent last are remembered. One that is forgotten begins anew, so that whoever fills the memory with
 * made-up keys takes nothing from others; a key that goes on spending is never forgotten.
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

  /** Spends one, if the key may. Returns 0, or the milliseconds after which it may. */
  spend(key: string): number {
    const nowMs = this.#now();
    const debt = this.#debtOf(key);
    const untilMs = Math.max(debt.untilMs, nowMs) + this.#intervalMs;
    const waitMs = untilMs - nowMs - this.#burstMs;
    // Sums of fractions may differ from what they add up to by a trifle.
    if (waitMs > 1e-6) return waitMs;
    debt.untilMs = untilMs;
    return 0;
  }

  /** Gives back one that was spent. */
  refund(key: string): void {
    this.#debtOf(key).untilMs -= this.#intervalMs;
  }

  /** Returns how many more the key may spend now, and the milliseconds until it has its whole burst again. */
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

/** Limit on what may be spent. */
export interface Allowance {
  /** Most that can be spent at once. */
  burst: number;
  /** Amount that comes back each second, up to the burst. */
  perSecond: number;
}

/** Most that can be owed, in bursts: as much as comes back in a few times the time of one. */
const MAX_OWED_BURSTS = 4;

/** Allowance that is spent and comes back with time. Uses no timer. */
export class TokenBucket {
  readonly #allowance: Allowance;
  #left: number;
  #updatedAtMs = performance.now();

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
    this.#left = allowance.burst;
  }

  /** Spends an amount. Returns false if less was left; then nothing is left. */
  spend(amount: number): boolean {
    this.#refill();
    const isEnough = amount <= this.#left;
    this.#left = isEnough ? this.#left - amount : 0;
    return isEnough;
  }

  /**
   * Spends an amount that has been used already. Returns false if less was left; then the rest is owed, up to
   * {@link MAX_OWED_BURSTS}.
   */
  overspend(amount: number): boolean {
    this.#refill();
    this.#left = Math.max(-MAX_OWED_BURSTS * this.#allowance.burst, this.#left - amount);
    return this.#left >= 0;
  }

  /** Whether something is owed. */
  get isOverspent(): boolean {
    this.#refill();
    return this.#left < 0;
  }

  /** Whether everything spent has come back. */
  get isFull(): boolean {
    this.#refill();
    return this.#left >= this.#allowance.burst;
  }

  #refill(): void {
    const nowMs = performance.now();
    const { burst, perSecond } = this.#allowance;
    this.#left = Math.min(burst, this.#left + ((nowMs - this.#updatedAtMs) / 1_000) * perSecond);
    this.#updatedAtMs = nowMs;
  }
}

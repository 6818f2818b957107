const FIRST_REST_MS = 500;
const LONGEST_REST_MS = 30_000;

/**
 * One of the server's addresses. After a connection to it has failed it rests, each
 * time longer; the next call after the rest probes it.
 */
export class Address {
  /** As `https://rollcall.example.com:8443`. */
  readonly origin: string;
  #failures = 0;
  #restsUntilMs = 0;

  constructor(origin: string) {
    this.origin = origin;
  }

  get isResting(): boolean {
    return performance.now() < this.#restsUntilMs;
  }

  failed(): void {
    this.#failures += 1;
    this.#restsUntilMs = performance.now() + Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** (this.#failures - 1));
  }

  succeeded(): void {
    this.#failures = 0;
    this.#restsUntilMs = 0;
  }
}

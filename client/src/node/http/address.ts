import { ConnectionLostError } from "../../not-sent.ts";

/** Short, as calls wait meanwhile; doubled for each failure in a row. */
const FIRST_REST_MS = 100;
const LONGEST_REST_MS = 5_000;
/** Rests differ by up to this part, so that clients do not come back all at once. */
const JITTER = 0.4;

/**
 * One of the server's addresses. After a connection to it has failed, or was lost before
 * anything was answered, it rests, each time longer, up to 5 s.
 */
export class Address {
  /** As `https://rollcall.example.com:8443`. */
  readonly origin: string;
  #failures = 0;
  #restsUntilMs = 0;
  #loss: ConnectionLostError | undefined;
  /** Since the last loss, or ever. */
  #hasAnswered = false;

  constructor(origin: string) {
    this.origin = origin;
  }

  get isResting(): boolean {
    return this.restMs > 0;
  }

  /** What is left of its rest, in milliseconds. */
  get restMs(): number {
    return Math.max(0, this.#restsUntilMs - performance.now());
  }

  /** Attempts that fail together count once: one of them has begun its rest. */
  failed(): void {
    if (this.isResting) return;
    this.#failures += 1;
    const restMs = Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** (this.#failures - 1));
    this.#restsUntilMs = performance.now() + restMs * (1 - JITTER / 2 + Math.random() * JITTER);
  }

  /**
   * A connection with calls on it has ended: one event until another connection is made,
   * however many calls and connections it ends. A server that takes calls and drops them,
   * and answers nothing, is not asked again at once.
   */
  lost(): ConnectionLostError {
    if (!this.#loss) {
      this.#loss = new ConnectionLostError(`the connection to ${this.origin} was lost`);
      if (!this.#hasAnswered) this.failed();
      this.#hasAnswered = false;
    }
    return this.#loss;
  }

  /** A connection was made. */
  connected(): void {
    this.#loss = undefined;
  }

  /** A connection has its first answer. */
  succeeded(): void {
    this.#hasAnswered = true;
    this.#failures = 0;
    this.#restsUntilMs = 0;
  }
}

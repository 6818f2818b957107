import { ConnectionLostError, findCause } from "../../internal/not-sent.ts";
import { speaksTls } from "./speaks-tls.ts";
import { HandshakeRefusedError } from "./tls-faults.ts";

/** Short, as calls wait meanwhile; doubled for each failure in a row. */
const FIRST_REST_MS = 20;
const LONGEST_REST_MS = 5_000;
/** Rests differ by up to this part, so that clients do not come back all at once. */
const JITTER = 0.4;
/** Calls that a connection takes at first, after one that was lost without an answer. */
const FIRST_CALLS = 4;
/**
 * Connections in a row that a server closes on a client with a certificate when the handshake ends, until that counts as
 * a refusal: a server that dies may close one just then.
 */
const REFUSALS_TO_BELIEVE = 3;
/** How long the answer holds whether the server of a plaintext address speaks TLS. */
const PROBE_KEPT_MS = 5_000;

/**
 * One of the server's addresses. After a try to connect has failed, it rests, each time
 * longer, up to 5 s; so it does after a connection took calls and was lost before it
 * answered one. A connection that has answered and is lost costs no rest.
 *
 * After a loss, the next connection takes few calls at first: half as many as were answered
 * since the loss before, and one more for each answer. All the calls that were lost
 * together would otherwise come at once on each new connection, and be lost again before
 * the first is answered. It also bounds what a server gets that takes calls and drops
 * them: a few times what it answers.
 */
export class Address {
  /** As `https://rollcall.example.com:8443`. */
  readonly origin: string;
  /** As `rollcall.example.com:8443`, or `[::1]:8080`: what a request calls its server (RFC 9113, 8.3.1). */
  readonly authority: string;
  #failures = 0;
  #restsUntilMs = 0;
  #loss: ConnectionLostError | undefined;
  /** Answers since the last loss. */
  #answers = 0;
  #firstCalls = Infinity;
  #refusals = 0;
  #hasAnswered = false;
  #probe: { readonly atMs: number; readonly answer: Promise<boolean> } | undefined;

  constructor(origin: string) {
    this.origin = origin;
    this.authority = new URL(origin).host;
  }

  get isResting(): boolean {
    return this.restMs > 0;
  }

  /** How many calls a new connection takes at once; one more for each that it answers. */
  get firstCalls(): number {
    return this.#firstCalls;
  }

  /** Time until its rest is over, in milliseconds. */
  get restMs(): number {
    return Math.max(0, this.#restsUntilMs - performance.now());
  }

  /** Whether it does not accept this client's certificate: its connections end without an alert. */
  get refusesClient(): boolean {
    return this.#refusals >= REFUSALS_TO_BELIEVE;
  }

  /**
   * Whether the server of a plaintext address speaks TLS. Asks it, once in 5 s for all who want to know; a server that
   * has answered a call in plaintext is not asked.
   */
  async speaksTls(): Promise<boolean> {
    if (this.#hasAnswered || !this.origin.startsWith("http:")) return false;
    const nowMs = performance.now();
    if (!this.#probe || nowMs - this.#probe.atMs > PROBE_KEPT_MS) {
      this.#probe = { atMs: nowMs, answer: speaksTls(this.origin) };
    }
    return this.#probe.answer;
  }

  /** Attempts that fail together count once: one of them has begun its rest. */
  failed(error?: unknown): void {
    this.#refusals = findCause(error, HandshakeRefusedError) ? this.#refusals + 1 : 0;
    if (this.isResting) return;
    this.#failures += 1;
    const restMs = Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** (this.#failures - 1));
    this.#restsUntilMs = performance.now() + restMs * (1 - JITTER / 2 + Math.random() * JITTER);
  }

  /**
   * A connection with calls on it has ended: one event until another connection is made,
   * however many calls and connections it ends.
   *
   * @param isPaced Whether new connections keep to {@link firstCalls} and the rest.
   */
  lost(isPaced: boolean): ConnectionLostError {
    if (!this.#loss) {
      const hadAnswered = this.#answers > 0;
      this.#loss = new ConnectionLostError(`the connection to ${this.origin} was lost`, {
        isPaced: isPaced || hadAnswered,
      });
      if (!hadAnswered) this.failed();
      this.#firstCalls = Math.max(FIRST_CALLS, Math.floor(this.#answers / 2));
      this.#answers = 0;
    }
    return this.#loss;
  }

  /** A connection was made. */
  connected(): void {
    this.#loss = undefined;
    this.#refusals = 0;
  }

  /** A call was answered. */
  answered(): void {
    this.#answers += 1;
    this.#hasAnswered = true;
    this.#failures = 0;
    this.#restsUntilMs = 0;
  }
}

import { ConnectionLostError, findCause } from "../../internal/not-sent.ts";
import { speaksTls } from "./speaks-tls.ts";
import { HandshakeRefusedError } from "./tls-faults.ts";

/**
 * First rest after a failure, in milliseconds; each failure in a row doubles it. It is short, since calls wait
 * meanwhile.
 */
const FIRST_REST_MS = 20;
/**
 * Longest rest of an address that can't be reached, in milliseconds. A server that is back after some seconds has to be
 * found within the deadline of the calls that wait for it, which is 5 s by default.
 */
const LONGEST_REST_MS = 1_000;
/** Longest rest of an address that takes calls and drops them, in milliseconds: each attempt costs it these calls. */
const LONGEST_REST_AFTER_LOSS_MS = 5_000;
/** Random share of each rest, so that clients do not all come back at the same time. */
const JITTER = 0.4;
/** Calls that a new connection takes at first, after one that was lost without an answer. */
const FIRST_CALLS = 4;
/**
 * Connections in a row that a server must close at the end of the handshake before that is taken as a refusal of the
 * client's certificate. A server that dies may happen to close one at that moment.
 */
const REFUSALS_TO_BELIEVE = 3;
/** Time for which the answer whether a plaintext address speaks TLS is kept, in milliseconds. */
const PROBE_KEPT_MS = 5_000;

/**
 * One of the server's addresses. After a failed attempt to connect, and after a connection that ended without a call, it
 * rests, each time longer, up to 1 s. It also rests, up to 5 s, after a connection took calls and was lost before an
 * answer was complete, or a part of a stream had arrived. If a connection is lost after that, it does not rest.
 *
 * After a loss, the next connection takes few calls at first: half as many as were answered since the loss before, and
 * one more for each answer. Otherwise all lost calls would be sent together on each new connection, and be lost again
 * before the first is answered. This also protects a server that accepts calls and drops them: it gets only a few times
 * as many calls as it answers.
 */
export class Address {
  /** Origin, such as `https://rollcall.example.com:8443`. */
  readonly origin: string;
  /**
   * Authority, such as `rollcall.example.com:8443` or `[::1]:8080`: the server's name in a request (RFC 9113, 8.3.1).
   */
  readonly authority: string;
  /** The same, in the form that a request over HTTP/1.1 needs. */
  readonly location: { readonly protocol: string; readonly host: string; readonly port: string };
  #failures = 0;
  #restsUntilMs = 0;
  #loss: ConnectionLostError | undefined;
  /** Answers since the last loss, complete or not. */
  #answers = 0;
  /** Whether one of them was of use. */
  #hasDelivered = false;
  #firstCalls = Infinity;
  #refusals = 0;
  #hasAnswered = false;
  #probe: { readonly atMs: number; readonly answer: Promise<boolean> } | undefined;

  constructor(origin: string) {
    this.origin = origin;
    const { host, protocol, hostname, port } = new URL(origin);
    this.authority = host;
    this.location = { protocol, host: hostname.replace(/^\[|\]$/g, ""), port };
  }

  get isResting(): boolean {
    return this.restMs > 0;
  }

  /** Number of calls that a new connection takes at the same time. Each answer adds one. */
  get firstCalls(): number {
    return this.#firstCalls;
  }

  /** Remaining time of the rest, in milliseconds. */
  get restMs(): number {
    return Math.max(0, this.#restsUntilMs - performance.now());
  }

  /** Whether the server refuses this client's certificate: its connections end without an alert. */
  get refusesClient(): boolean {
    return this.#refusals >= REFUSALS_TO_BELIEVE;
  }

  /**
   * Resolves with whether the server of a plaintext address speaks TLS. It is asked once in 5 s for all callers, and
   * never if it has answered a call in plaintext.
   */
  async speaksTls(): Promise<boolean> {
    if (this.#hasAnswered || !this.origin.startsWith("http:")) return false;
    const nowMs = performance.now();
    if (!this.#probe || nowMs - this.#probe.atMs > PROBE_KEPT_MS) {
      this.#probe = { atMs: nowMs, answer: speaksTls(this.origin) };
    }
    return this.#probe.answer;
  }

  /**
   * Notes a failed attempt to connect, or a connection that ended before it was of use. Those that fail at the same time
   * count once, since the first of them has begun the rest.
   */
  failed(error?: unknown): void {
    this.#refusals = findCause(error, HandshakeRefusedError) ? this.#refusals + 1 : 0;
    this.#rest(LONGEST_REST_MS);
  }

  /**
   * Notes that a connection with calls on it has ended. Until another connection is made, this counts as one event,
   * however many calls and connections end.
   *
   * @param isPaced Whether new connections respect {@link firstCalls} and the rest.
   */
  lost(isPaced: boolean): ConnectionLostError {
    if (!this.#loss) {
      const hadDelivered = this.#hasDelivered;
      this.#loss = new ConnectionLostError(`the connection to ${this.origin} was lost`, {
        isPaced: isPaced || hadDelivered,
      });
      if (!hadDelivered) {
        this.#refusals = 0;
        this.#rest(LONGEST_REST_AFTER_LOSS_MS);
      }
      this.#firstCalls = Math.max(FIRST_CALLS, Math.floor(this.#answers / 2));
      this.#answers = 0;
      this.#hasDelivered = false;
    }
    return this.#loss;
  }

  /** Notes that a connection was made. */
  connected(): void {
    this.#loss = undefined;
    this.#refusals = 0;
  }

  /** Notes the head of an answer. */
  answered(): void {
    this.#answers += 1;
    this.#hasAnswered = true;
  }

  /** Notes a complete answer, or a part of a stream. A server that only begins its answers must rest. */
  delivered(): void {
    this.#hasDelivered = true;
    this.#failures = 0;
    this.#restsUntilMs = 0;
  }

  #rest(longestMs: number): void {
    if (this.isResting) return;
    this.#failures += 1;
    const restMs = Math.min(longestMs, FIRST_REST_MS * 2 ** (this.#failures - 1));
    this.#restsUntilMs = performance.now() + restMs * (1 - JITTER / 2 + Math.random() * JITTER);
  }
}

import type { defaultAdmissionLimits } from "../../limits.ts";
import { FairLine } from "./fair-line.ts";

/** A call that waits for its start. */
export interface Waiting {
  /** Calls of one connection take turns with those of others, however many it sends. */
  readonly connection: object;
  /** Whether the call is open for long and does little, so that nobody waits for its end. */
  readonly isStream: boolean;
  /** How long its caller waits for the answer, in milliseconds from the call's arrival; undefined for no limit. */
  timeoutMs(): number | undefined;
  /** Whether nobody waits for its answer any more. */
  isGone(): boolean;
  /** Whether it has its answer, so that nothing is left to be done for it. */
  isAnswered(): boolean;
  start(): void;
  /** @param reason "expired" when the caller's deadline has passed. */
  refuse(reason: "overloaded" | "expired"): void;
}

/** The pace at which calls start, and how long they wait. */
export type PacedLineLimits = Omit<typeof defaultAdmissionLimits, "patienceMs">;

/** Started at once however slow the loop is: enough for one to be computed while others wait for disk or threads. */
const MIN_WINDOW = 8;
/** How often the pace of starts is measured, in milliseconds. */
const PACE_INTERVAL_MS = 100;

interface Place<T> {
  readonly call: T;
  readonly sinceMs: number;
}

/**
 * Starts calls at the pace that the event loop keeps up with, so that its turns
 * stay short for whoever does not wait, such as a health check.
 *
 * A window bounds the unary calls that have been started and have no answer yet.
 * It shrinks when turns get long, and grows when calls wait though turns are
 * short: then those under way wait for something else than this process.
 *
 * A burst may wait for a second. A line that has not been empty for that long is
 * overload: a long wait helps nobody, since callers give up meanwhile, and calls
 * that have waited for longer than a tenth of a second are refused. This is how
 * CoDel (RFC 8289) tells a burst from a standing queue.
 */
export class PacedLine<T extends Waiting> {
  readonly #limits: PacedLineLimits;
  readonly #now: () => number;
  readonly #line: FairLine<object, Place<T>>;
  /** Starts since the pace was measured, and when that was. */
  #starts = 0;
  #pacedAtMs = 0;
  #startsPerMs = 0;
  readonly #started = new Set<T>();
  #window: number;
  /** Since when the line has not been empty. */
  #standingSinceMs = 0;
  /** A line that empties by refusing is overloaded still. */
  #overloadedUntilMs = Number.NEGATIVE_INFINITY;
  #servedAtMs = 0;

  /**
   * @param now Monotonic, in milliseconds.
   * @param isHeavy Whether a connection has much under way, so that others go first.
   */
  constructor(limits: PacedLineLimits, now: () => number, isHeavy: (connection: object) => boolean) {
    this.#limits = limits;
    this.#line = new FairLine(isHeavy);
    this.#now = now;
    this.#window = limits.window;
  }

  /**
   * Whether a call of the connection had better be refused at once: calls stand in
   * line for overload, as many as can be started in maxStandingWaitMs, and its share
   * of them is its connection's.
   */
  isFull(connection: object): boolean {
    if (this.#line.length === 0) return false;
    const nowMs = this.#now();
    if (!this.#isOverloaded(nowMs)) return false;
    const places = Math.max(MIN_WINDOW, this.#startsPerMs * this.#limits.maxStandingWaitMs);
    const own = this.#line.lengthOf(connection);
    const share = places / (this.#line.connections + (own > 0 ? 0 : 1));
    if (this.#line.length < places || own < share) return false;
    this.#overloadedUntilMs = nowMs + this.#limits.maxBurstWaitMs;
    return true;
  }

  /** Starts the call, at once where nobody waits and the window has room, or refuses it later. */
  join(call: T): void {
    if (this.#line.length === 0) {
      if (this.#started.size < this.#window) {
        this.#start(call);
        return;
      }
      this.#standingSinceMs = this.#now();
      this.#servedAtMs = this.#standingSinceMs;
      this.#pacedAtMs = this.#standingSinceMs;
      this.#starts = 0;
      setImmediate(() => this.#serve());
    }
    this.#line.push(call.connection, { call, sinceMs: this.#now() });
  }

  /** Takes back the latest call of a connection that has much under way, to make room for another's. */
  takeBack(isStream: boolean): T | undefined {
    return this.#line.pop(({ call }) => call.isStream === isStream)?.call;
  }

  /** Tells that a call is over. */
  leave(call: T): void {
    this.#started.delete(call);
  }

  #serve(): void {
    const turnStartedAtMs = this.#now();
    this.#adapt(turnStartedAtMs - this.#servedAtMs);
    this.#measurePace(turnStartedAtMs);
    this.#servedAtMs = turnStartedAtMs;
    if (this.#started.size >= this.#window) this.#forgetAnswered();
    for (let nowMs = turnStartedAtMs; this.#started.size < this.#window; nowMs = this.#now()) {
      const place = this.#line.shift();
      if (!place) return;
      this.#admit(place, nowMs);
      if (nowMs - turnStartedAtMs > this.#limits.maxTurnMs / 2) break;
    }
    setImmediate(() => this.#serve());
  }

  /** @param turnMs How long the last turn took. It did not wait for events, since calls wait. */
  #adapt(turnMs: number): void {
    const { maxTurnMs } = this.#limits;
    if (turnMs > maxTurnMs) this.#window = Math.max(MIN_WINDOW, this.#window * 0.8);
    else if (turnMs < maxTurnMs / 2 && this.#started.size >= this.#window) this.#window = this.#window * 1.1 + 1;
  }

  #measurePace(nowMs: number): void {
    if (nowMs - this.#pacedAtMs < PACE_INTERVAL_MS) return;
    this.#startsPerMs = this.#starts / (nowMs - this.#pacedAtMs);
    this.#pacedAtMs = nowMs;
    this.#starts = 0;
  }

  #isOverloaded(nowMs: number): boolean {
    return nowMs < this.#overloadedUntilMs || nowMs - this.#standingSinceMs > this.#limits.maxBurstWaitMs;
  }

  #admit({ call, sinceMs }: Place<T>, nowMs: number): void {
    const { maxBurstWaitMs, maxStandingWaitMs } = this.#limits;
    const isOverloaded = this.#isOverloaded(nowMs);
    const waitedMs = nowMs - sinceMs;
    if (call.isGone()) return;
    if (waitedMs >= (call.timeoutMs() ?? Number.POSITIVE_INFINITY)) call.refuse("expired");
    else if (waitedMs > (isOverloaded ? maxStandingWaitMs : maxBurstWaitMs)) {
      this.#overloadedUntilMs = nowMs + maxBurstWaitMs;
      call.refuse("overloaded");
    } else this.#start(call);
  }

  #start(call: T): void {
    if (!call.isStream) this.#started.add(call);
    this.#starts += 1;
    call.start();
  }

  /** Those whose answers wait for their readers take up no time. */
  #forgetAnswered(): void {
    for (const call of this.#started) if (call.isAnswered()) this.#started.delete(call);
  }
}

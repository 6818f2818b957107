import type { defaultAdmissionLimits } from "../../limits.ts";
import { Chain, type Link } from "../../runtime/chain.ts";
import { FairLine } from "./fair-line.ts";

/** A call that waits to be started. */
export interface Waiting {
  /** The call's connection. Connections take turns, however many calls each sends. */
  readonly connection: object;
  /** Its place among the calls that have been started and have no answer. */
  started?: Link<Waiting> | undefined;
  /** Whether the call stays open for long and does little, so that its end is not waited for. */
  readonly isStream: boolean;
  /**
   * Returns how long the caller waits for the answer, in milliseconds from the call's arrival; undefined means without
   * limit.
   */
  timeoutMs(): number | undefined;
  /** Returns whether nobody waits for the answer any more. */
  isGone(): boolean;
  /** Returns whether the call has its answer, so that no work remains. */
  isAnswered(): boolean;
  start(): void;
  /** @param reason "expired" when the caller's deadline has passed. */
  refuse(reason: "overloaded" | "expired"): void;
}

/** Pace at which calls start, and limits on their waits. */
export type PacedLineLimits = Omit<typeof defaultAdmissionLimits, "patienceMs" | "maxLoopDelayMs">;

/**
 * Calls that may always be in progress, however slow the loop is: enough for one to compute while others wait for disk
 * or threads.
 */
export const MIN_WINDOW = 8;
/** Interval at which the pace of starts is measured, in milliseconds. */
const PACE_INTERVAL_MS = 100;

interface Place<T> {
  readonly call: T;
  readonly sinceMs: number;
}

/**
 * Starts calls at the pace that the event loop keeps up with. Its turns stay short for work that does not wait in line,
 * such as health checks.
 *
 * A window bounds the unary calls that have been started and have no answer yet. It shrinks when turns get long. It
 * grows when calls wait although turns are short: the calls in progress then wait for something outside this process.
 *
 * Calls in a burst may wait for a second. If the line has not been empty for that long, it is overload. A long wait
 * then helps nobody, since callers give up meanwhile, so calls that have waited for longer than a tenth of a second are
 * refused. CoDel (RFC 8289) tells a burst from a standing queue in the same way.
 */
export class PacedLine<T extends Waiting> {
  readonly #limits: PacedLineLimits;
  readonly #now: () => number;
  readonly #line: FairLine<object, Place<T>>;
  /** Calls started since the pace was last measured, and the time of that measurement. */
  #starts = 0;
  #pacedAtMs = 0;
  #startsPerMs = 0;
  readonly #started = new Chain<Waiting>();
  #window: number;
  /** Time at which the line was last empty. */
  #standingSinceMs = 0;
  /** Time until which the line counts as overloaded, even if it is emptied by refusing calls. */
  #overloadedUntilMs = Number.NEGATIVE_INFINITY;
  #servedAtMs = 0;

  /**
   * @param now Returns a monotonic time in milliseconds.
   * @param isHeavy Returns whether a connection has much work in flight, so that others go first.
   */
  constructor(limits: PacedLineLimits, now: () => number, isHeavy: (connection: object) => boolean) {
    this.#limits = limits;
    this.#line = new FairLine(isHeavy);
    this.#now = now;
    this.#window = limits.window;
  }

  /**
   * Returns whether a call of the connection should be refused immediately. It should under overload, if as many calls
   * wait as can be started in maxStandingWaitMs, and the connection has its share of them.
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

  /**
   * Starts the call immediately if nobody waits and the window has room. Otherwise starts or refuses it later.
   *
   * @param mayStart Whether this turn of the event loop has time for it. The window does not bound calls that are
   * answered immediately, since they never fill it.
   */
  join(call: T, mayStart = true): void {
    if (this.#line.length === 0) {
      if (mayStart && this.#started.size < this.#window) {
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

  /** Removes the latest waiting call of a heavy connection, to make room for another's. */
  takeBack(isStream: boolean): T | undefined {
    return this.#line.pop(({ call }) => call.isStream === isStream)?.call;
  }

  /** Notes that a call is over. */
  leave(call: T): void {
    this.#started.remove(call.started);
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

  /** @param turnMs Duration of the last turn. It did not wait for events, since there are calls in line. */
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
    if (!call.isStream) call.started = this.#started.add(call);
    this.#starts += 1;
    call.start();
  }

  /** Forgets calls whose answers only wait for their readers, since they cost no more time. */
  #forgetAnswered(): void {
    for (const call of this.#started) if (call.isAnswered()) this.#started.remove(call.started);
  }
}

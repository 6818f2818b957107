import {
  CONNECTION_SHARE,
  defaultAdmissionLimits,
  MAX_HEALTH_CHECKS,
  STREAMS_PER_CALL,
  settings,
} from "../../limits.ts";
import { Chain, type Link } from "../../runtime/chain.ts";
import { LoopDelay, LoopShedding } from "./loop-shedding.ts";
import { PacedLine, type Waiting } from "./paced-line.ts";

/** A call, from the arrival of its headers to the end of its answer. */
export interface Arrival extends Waiting {
  /** Whether it checks the server's health. Such calls have places of their own, and never wait. */
  readonly isCheck?: boolean;
  /** Its place, if it has one. */
  place?: Link<Member> | undefined;
  /** Returns how far a started call has got. */
  progress(): "receiving" | "working" | "answered";
  /** Ends a call whose request is incomplete. */
  evict(): void;
}

/** A call with a place, and the time when it entered, in milliseconds. */
export interface Member {
  readonly arrival: Arrival;
  readonly enteredAtMs: number;
}

/** Pace and places of calls. */
export type AdmissionLimits = typeof defaultAdmissionLimits & {
  /** Unary calls in flight in the process. */
  maxCalls: number;
  /** Open streams in the process. */
  maxStreams: number;
};

/** How often a full pool looks for calls that do not need their places, in milliseconds. */
const SWEEP_INTERVAL_MS = 50;
/** Largest share of the pool's incomplete calls that one check may end. */
const EVICTED_SHARE = 1 / 16;

export function admissionLimits(
  maxCalls = settings.maxCalls.byDefault,
  limits: Partial<Omit<AdmissionLimits, "maxCalls">> = {},
): AdmissionLimits {
  return { ...defaultAdmissionLimits, maxStreams: STREAMS_PER_CALL * maxCalls, ...limits, maxCalls };
}

/**
 * Bounds the calls in flight, in the process and on each connection, and starts them at the event loop's pace. Refuses
 * calls over a limit before they cost anything, so that the admitted ones are answered in time.
 *
 * Streams have a pool of their own, since they are open for long and do little.
 */
export class Admission {
  readonly #calls: Pool;
  readonly #streams: Pool;
  readonly #checks: Pool;
  readonly #line: PacedLine<Arrival>;
  readonly #shedding: LoopShedding;
  readonly #loopDelay: LoopDelay;
  readonly #isHeavy: (connection: object) => boolean;

  /**
   * @param now Returns a monotonic time in milliseconds.
   * @param isHeavy Returns whether a connection has much work in flight. If there is no place, its waiting calls make
   * room for calls of light connections.
   */
  constructor(
    limits: AdmissionLimits,
    now: () => number = () => performance.now(),
    isHeavy: (connection: object) => boolean = () => false,
  ) {
    this.#isHeavy = isHeavy;
    this.#calls = new Pool(limits.maxCalls, limits.patienceMs, now);
    this.#streams = new Pool(limits.maxStreams, Number.POSITIVE_INFINITY, now);
    this.#checks = new Pool(MAX_HEALTH_CHECKS, limits.patienceMs, now);
    this.#line = new PacedLine(limits, now, isHeavy);
    this.#shedding = new LoopShedding(limits.maxLoopDelayMs, isHeavy);
    this.#loopDelay = new LoopDelay((delayMs) => this.#shedding.look(delayMs));
  }

  get calls(): number {
    return this.#calls.size;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /**
   * Returns whether there is a place for a call of the connection, or one can be made. This is cheaper than `enter`.
   */
  hasPlace(connection: object, isStream: boolean): boolean {
    if (this.#line.isFull(connection) || !this.#shedding.mayEnter(connection)) return false;
    const pool = isStream ? this.#streams : this.#calls;
    return pool.hasPlace(connection) || this.#makePlace(connection, isStream);
  }

  /**
   * Starts the call, immediately or soon, or refuses it.
   *
   * @param mayStart Whether this turn of the event loop has time for it.
   * @returns Whether the call has a place. It keeps it until it leaves, even if it is refused later.
   */
  enter(arrival: Arrival, mayStart = true): boolean {
    if (arrival.isCheck) return this.#enterCheck(arrival);
    if (!this.hasPlace(arrival.connection, arrival.isStream)) {
      arrival.refuse("overloaded");
      return false;
    }
    this.#shedding.noteEntered();
    this.#loopDelay.watch();
    this.#poolOf(arrival).take(arrival);
    this.#line.join(arrival, mayStart);
    return true;
  }

  #enterCheck(arrival: Arrival): boolean {
    if (!this.#checks.hasPlace(arrival.connection)) {
      arrival.refuse("overloaded");
      return false;
    }
    this.#checks.take(arrival);
    arrival.start();
    return true;
  }

  /** Frees the call's place, if it still has one. */
  leave(arrival: Arrival): void {
    this.#poolOf(arrival).release(arrival);
    this.#line.leave(arrival);
  }

  /** Refuses a waiting call of a heavy connection, to make a place for a call of a light one. */
  #makePlace(connection: object, isStream: boolean): boolean {
    if (this.#isHeavy(connection)) return false;
    const call = this.#line.takeBack(isStream);
    if (!call) return false;
    this.#poolOf(call).release(call);
    call.refuse("overloaded");
    return true;
  }

  #poolOf({ isCheck, isStream }: Arrival): Pool {
    if (isCheck) return this.#checks;
    return isStream ? this.#streams : this.#calls;
  }
}

/** Places for calls, and the calls that have them. */
class Pool {
  readonly #max: number;
  readonly #maxPerConnection: number;
  readonly #patienceMs: number;
  readonly #now: () => number;
  /** The oldest come first. */
  readonly #members = new Chain<Member>();
  /**
   * Calls of each connection. In a map, whose entries would come and go with each call, old tables would stay in
   * memory.
   */
  readonly #perConnection = new WeakMap<object, { calls: number }>();
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor(max: number, patienceMs: number, now: () => number) {
    this.#max = max;
    this.#maxPerConnection = Math.ceil(max * CONNECTION_SHARE);
    this.#patienceMs = patienceMs;
    this.#now = now;
  }

  get size(): number {
    return this.#members.size;
  }

  /** Returns whether there is a place for a call of the connection, or one can be made. */
  hasPlace(connection: object): boolean {
    if (this.#isFree(connection)) return true;
    this.#sweep();
    return this.#isFree(connection);
  }

  take(arrival: Arrival): void {
    const { connection } = arrival;
    arrival.place = this.#members.add({ arrival, enteredAtMs: this.#now() });
    const own = this.#perConnection.get(connection);
    if (own) own.calls += 1;
    else this.#perConnection.set(connection, { calls: 1 });
  }

  release(arrival: Arrival): void {
    if (!this.#members.remove(arrival.place)) return;
    const own = this.#perConnection.get(arrival.connection);
    if (own) own.calls -= 1;
  }

  #isFree(connection: object): boolean {
    const { calls } = this.#perConnection.get(connection) ?? { calls: 0 };
    return this.#members.size < this.#max && calls < this.#maxPerConnection;
  }

  /**
   * Takes places away from calls that do no work: calls whose answer waits for its reader, and the oldest of those
   * whose request has been incomplete for too long.
   */
  #sweep(): void {
    const nowMs = this.#now();
    if (nowMs - this.#sweptAtMs < SWEEP_INTERVAL_MS) return;
    this.#sweptAtMs = nowMs;
    let evictable = Math.ceil(this.#max * EVICTED_SHARE);
    for (const { arrival, enteredAtMs } of this.#members) {
      const progress = arrival.progress();
      if (progress === "answered") this.release(arrival);
      if (progress !== "receiving" || evictable === 0 || nowMs - enteredAtMs < this.#patienceMs) continue;
      evictable -= 1;
      this.release(arrival);
      arrival.evict();
    }
  }
}

import { CONNECTION_SHARE, defaultAdmissionLimits, STREAMS_PER_CALL, settings } from "../../limits.ts";
import { PacedLine, type Waiting } from "./paced-line.ts";

/** A call, from its headers to the end of its answer. */
export interface Arrival extends Waiting {
  /** How far a call has come that was started. */
  progress(): "receiving" | "working" | "answered";
  /** Ends a call of which the rest has not arrived. */
  evict(): void;
}

/** The pace and the places of calls. */
export type AdmissionLimits = typeof defaultAdmissionLimits & {
  /** Unary calls in flight in the process. */
  maxCalls: number;
  /** Streams open in the process. */
  maxStreams: number;
};

/** How often a full pool looks for calls that do not need their places, in milliseconds. */
const SWEEP_INTERVAL_MS = 50;
/** Half-open calls that end at one look. */
const EVICTED_SHARE = 1 / 16;

export function admissionLimits(
  maxCalls = settings.maxCalls.byDefault,
  limits: Partial<Omit<AdmissionLimits, "maxCalls">> = {},
): AdmissionLimits {
  return { ...defaultAdmissionLimits, maxStreams: STREAMS_PER_CALL * maxCalls, ...limits, maxCalls };
}

/**
 * Bounds the calls in flight, in the process and on each connection, and lets them
 * in at the event loop's pace. What is over a limit is refused before it costs
 * anything, so that what is let in is answered in time.
 *
 * Streams have a pool of their own, since they are open for long and do little.
 */
export class Admission {
  readonly #calls: Pool;
  readonly #streams: Pool;
  readonly #line: PacedLine<Arrival>;

  readonly #isHeavy: (connection: object) => boolean;

  /**
   * @param now Monotonic, in milliseconds.
   * @param isHeavy Whether a connection has much under way: where there is no place, its calls that wait make room for others'.
   */
  constructor(
    limits: AdmissionLimits,
    now: () => number = () => performance.now(),
    isHeavy: (connection: object) => boolean = () => false,
  ) {
    this.#isHeavy = isHeavy;
    this.#calls = new Pool(limits.maxCalls, limits.patienceMs, now);
    this.#streams = new Pool(limits.maxStreams, Number.POSITIVE_INFINITY, now);
    this.#line = new PacedLine(limits, now, isHeavy);
  }

  get calls(): number {
    return this.#calls.size;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /**
   * Returns whether there is a place for a call of the connection, or one can be made:
   * to ask is cheaper than to enter.
   */
  hasPlace(connection: object, isStream: boolean): boolean {
    if (this.#line.isFull(connection)) return false;
    const pool = isStream ? this.#streams : this.#calls;
    return pool.hasPlace(connection) || this.#makePlace(connection, isStream);
  }

  /**
   * Starts the call, now or soon, or refuses it.
   *
   * @returns Whether it has got a place, even if it is refused later; it keeps that until it leaves.
   */
  enter(arrival: Arrival): boolean {
    if (!this.hasPlace(arrival.connection, arrival.isStream)) {
      arrival.refuse("overloaded");
      return false;
    }
    this.#poolOf(arrival).take(arrival);
    this.#line.join(arrival);
    return true;
  }

  /** Gives the call's place to others; it may have none any more. */
  leave(arrival: Arrival): void {
    this.#poolOf(arrival).release(arrival);
    this.#line.leave(arrival);
  }

  /** Refuses a call that waits, of a connection that has many, where one of a connection with few has no place. */
  #makePlace(connection: object, isStream: boolean): boolean {
    if (this.#isHeavy(connection)) return false;
    const call = this.#line.takeBack(isStream);
    if (!call) return false;
    this.#poolOf(call).release(call);
    call.refuse("overloaded");
    return true;
  }

  #poolOf({ isStream }: Arrival): Pool {
    return isStream ? this.#streams : this.#calls;
  }
}

/** Places for calls, and who has them. */
class Pool {
  readonly #max: number;
  readonly #maxPerConnection: number;
  readonly #patienceMs: number;
  readonly #now: () => number;
  /** When each entered; the oldest comes first. */
  readonly #members = new Map<Arrival, number>();
  readonly #perConnection = new Map<object, number>();
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

  /** Whether there is a place for a call of the connection, or one can be made. */
  hasPlace(connection: object): boolean {
    if (this.#isFree(connection)) return true;
    this.#sweep();
    return this.#isFree(connection);
  }

  take(arrival: Arrival): void {
    const { connection } = arrival;
    this.#members.set(arrival, this.#now());
    this.#perConnection.set(connection, this.#ofConnection(connection) + 1);
  }

  release(arrival: Arrival): void {
    if (!this.#members.delete(arrival)) return;
    const left = this.#ofConnection(arrival.connection) - 1;
    if (left > 0) this.#perConnection.set(arrival.connection, left);
    else this.#perConnection.delete(arrival.connection);
  }

  #isFree(connection: object): boolean {
    return this.#members.size < this.#max && this.#ofConnection(connection) < this.#maxPerConnection;
  }

  #ofConnection(connection: object): number {
    return this.#perConnection.get(connection) ?? 0;
  }

  /**
   * Takes places from calls that do no work: those whose answer waits for its
   * reader, and the oldest of those whose request has been on its way for too long.
   */
  #sweep(): void {
    const nowMs = this.#now();
    if (nowMs - this.#sweptAtMs < SWEEP_INTERVAL_MS) return;
    this.#sweptAtMs = nowMs;
    let evictable = Math.ceil(this.#max * EVICTED_SHARE);
    for (const [arrival, enteredAtMs] of this.#members) {
      const progress = arrival.progress();
      if (progress === "answered") this.release(arrival);
      if (progress !== "receiving" || evictable === 0 || nowMs - enteredAtMs < this.#patienceMs) continue;
      evictable -= 1;
      this.release(arrival);
      arrival.evict();
    }
  }
}

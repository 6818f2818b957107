import { KEPT_MESSAGES_FACTOR } from "../../limits.ts";
import { Chain } from "../../runtime/chain.ts";
import { AnswerPace } from "./answer-pace.ts";
import { type ByteBudget, MIN_SHARE_BYTES } from "./byte-budget.ts";
import { CallBytes, type CountedCall } from "./call-bytes.ts";

/**
 * Bytes that a client has to read on its connection between two looks to count as reading: more than answers to pings.
 */
const MIN_PROGRESS_BYTES = 4_096;
/** Calls of a connection that begin between two sums of its bytes. */
const CALLS_PER_SUM = 8;
/** Calls of a connection that may be fresh at once while it holds more than `PACED_SHARE` of its limit. */
const MAX_FRESH_CALLS = 8;
const PACED_SHARE = 1 / 4;
/** Open calls that a connection may have and still count as light. */
const MAX_LIGHT_CALLS = 4;
/**
 * With no more open calls than this, a connection's pieces are not worth a copy: each keeps at most 64 KiB that were read
 * from the socket.
 */
const MAX_UNCROWDED_CALLS = 32;

/** Adds up the bytes that the calls of one connection hold. */
export class ConnectionBytes {
  readonly budget: ByteBudget;
  readonly calls = new Chain<CallBytes>();
  /** Bytes held, as of the last sum. */
  heldBytes = 0;
  /** Bytes of complete messages that are kept, each the latest of its stream. */
  keptBytes = 0;
  /** Open calls that hold too little to be counted. */
  uncountedCalls = 0;
  readonly #writtenBytes: () => number;
  readonly #pace: AnswerPace;
  #lastWritten = 0;
  #callsSinceSum = 0;

  /** @param writtenBytes Returns all bytes that have left on the connection so far. */
  constructor(budget: ByteBudget, writtenBytes: () => number) {
    this.budget = budget;
    this.#writtenBytes = writtenBytes;
    this.#pace = new AnswerPace({
      maxFreshCalls: MAX_FRESH_CALLS,
      hasRoom: () => this.heldBytes < budget.options.maxConnectionBytes * PACED_SHARE,
    });
  }

  /** Whether no new call of this connection may begin. */
  get isOver(): boolean {
    return this.heldBytes > this.budget.options.maxConnectionBytes || this.isOverShare;
  }

  /** Whether even complete messages take too much room. */
  get keepsTooMuch(): boolean {
    return this.keptBytes > KEPT_MESSAGES_FACTOR * this.budget.options.maxConnectionBytes || this.isOverShare;
  }

  /** Whether the process holds too much, and this connection more than its share. */
  get isOverShare(): boolean {
    return this.budget.isOver && this.heldBytes + this.keptBytes > this.budget.shareBytes;
  }

  get openCalls(): number {
    return this.calls.size + this.uncountedCalls;
  }

  /** Whether the connection has many open calls or holds much. Calls of other connections then go first. */
  get isHeavy(): boolean {
    return this.openCalls > MAX_LIGHT_CALLS || this.heldBytes + this.keptBytes > MIN_SHARE_BYTES;
  }

  /** Whether there are so many open calls that what each keeps of the socket's reads would add up. */
  get isCrowded(): boolean {
    return this.openCalls > MAX_UNCROWDED_CALLS;
  }

  /** Whether so little is held, by this connection and by all, that a small call need not be counted. */
  get isQuiet(): boolean {
    const { maxConnectionBytes } = this.budget.options;
    return this.heldBytes < maxConnectionBytes * PACED_SHARE && this.budget.hasRoom;
  }

  /**
   * Returns whether a new call may begin. Adds up the bytes only every few calls, since that takes longer the more
   * calls there are.
   */
  mayBegin(): boolean {
    this.#callsSinceSum += 1;
    if (this.#callsSinceSum >= CALLS_PER_SUM || this.isOver) this.sum();
    return !this.isOver;
  }

  open(call: CountedCall): CallBytes {
    if (this.calls.size === 0) this.budget.watch(this);
    const bytes = new CallBytes(this, call);
    bytes.link = this.calls.add(bytes);
    return bytes;
  }

  close(call: CallBytes): void {
    this.calls.remove(call.link);
    if (this.calls.size === 0) this.budget.connections.delete(this);
    this.add(-call.countedBytes);
    this.keep(-call.keptBytes);
    this.budget.wake();
  }

  add(bytes: number): void {
    this.heldBytes += bytes;
    this.budget.heldBytes += bytes;
  }

  keep(bytes: number): void {
    this.keptBytes += bytes;
    this.budget.heldBytes += bytes;
  }

  sum(): void {
    this.#callsSinceSum = 0;
    let bytes = 0;
    for (const call of this.calls) bytes += call.count();
    this.add(bytes - this.heldBytes);
  }

  /** The oldest call with an incomplete message. It may always be read on, or no call would ever finish. */
  get eldestHolder(): CallBytes | undefined {
    for (const call of this.calls) if (call.isHolder) return call;
    return undefined;
  }

  /** The oldest call that keeps a message. While too much is kept, only this one gets another. */
  get eldestKeeper(): CallBytes | undefined {
    for (const call of this.calls) if (call.keptBytes > 0) return call;
    return undefined;
  }

  /** Ends calls that have not moved while the connection or the process holds too much. */
  check(): void {
    const written = this.#writtenBytes();
    const isRead = written - this.#lastWritten >= MIN_PROGRESS_BYTES;
    this.#lastWritten = written;
    for (const call of this.calls) {
      if (call.isStalled(isRead) && (this.isOver || this.keepsTooMuch)) call.end();
    }
  }

  /**
   * Resolves when the call may be handled, if this connection or the process holds much. Returns undefined if it may be
   * handled at once.
   */
  pace(call: CallBytes): Promise<void> | undefined {
    const turn = this.#pace.begin(call);
    return turn ? turn.then(() => this.budget.pace.begin(call)) : this.budget.pace.begin(call);
  }
}

import { KEPT_MESSAGES_FACTOR } from "../../limits.ts";
import { AnswerPace } from "./answer-pace.ts";
import { type ByteBudget, MIN_SHARE_BYTES } from "./byte-budget.ts";
import { CallBytes, type CountedCall } from "./call-bytes.ts";

/** What a reader has to take between two looks, on its connection, to count as one that moves: more than answers to pings. */
const MIN_PROGRESS_BYTES = 4_096;
/** Calls of a connection that are begun between two sums of what it holds. */
const CALLS_PER_SUM = 8;
/** Calls of a connection that are handled at once while it holds more than this part of what it may hold. */
const MAX_FRESH_CALLS = 8;
const PACED_SHARE = 1 / 4;
/** Open calls of a connection that asks for little. */
const MAX_LIGHT_CALLS = 4;

/** What the calls of one connection hold. */
export class ConnectionBytes {
  readonly budget: ByteBudget;
  readonly calls = new Set<CallBytes>();
  /** As of the last sum, in bytes. */
  heldBytes = 0;
  /** Of complete messages, each the last of its stream, in bytes. */
  keptBytes = 0;
  /** Calls under way that hold too little to be counted. */
  uncountedCalls = 0;
  readonly #writtenBytes: () => number;
  readonly #pace: AnswerPace;
  #lastWritten = 0;
  #callsSinceSum = 0;

  /** @param writtenBytes All that has left on the connection so far. */
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

  /** Whether complete messages are in the way, too. */
  get keepsTooMuch(): boolean {
    return this.keptBytes > KEPT_MESSAGES_FACTOR * this.budget.options.maxConnectionBytes || this.isOverShare;
  }

  /** Whether the process holds too much, and this connection more than its share. */
  get isOverShare(): boolean {
    return this.budget.isOver && this.heldBytes + this.keptBytes > this.budget.shareBytes;
  }

  /** Whether the connection has many calls under way or holds much, so that others go first. */
  get isHeavy(): boolean {
    return this.calls.size + this.uncountedCalls > MAX_LIGHT_CALLS || this.heldBytes + this.keptBytes > MIN_SHARE_BYTES;
  }

  /** Whether so little is held, by this connection and by all, that a small call need not be counted. */
  get isQuiet(): boolean {
    const { maxConnectionBytes } = this.budget.options;
    return this.heldBytes < maxConnectionBytes * PACED_SHARE && this.budget.hasRoom;
  }

  /** Whether a new call may begin; looks every few calls, since looking takes longer the more calls there are. */
  mayBegin(): boolean {
    this.#callsSinceSum += 1;
    if (this.#callsSinceSum >= CALLS_PER_SUM || this.isOver) this.sum();
    return !this.isOver;
  }

  open(call: CountedCall): CallBytes {
    if (this.calls.size === 0) this.budget.watch(this);
    const bytes = new CallBytes(this, call);
    this.calls.add(bytes);
    return bytes;
  }

  close(call: CallBytes): void {
    this.calls.delete(call);
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

  /** The eldest of its calls whose message is not complete: it is always read on, or none would ever be. */
  get eldestHolder(): CallBytes | undefined {
    for (const call of this.calls) if (call.isHolder) return call;
    return undefined;
  }

  /** The eldest of its calls that keeps a message: the only one to get another while too much is kept. */
  get eldestKeeper(): CallBytes | undefined {
    for (const call of this.calls) if (call.keptBytes > 0) return call;
    return undefined;
  }

  /** Ends calls that are in the way: the connection, or the process, holds too much, and they have not moved. */
  check(): void {
    const nowMs = performance.now();
    const written = this.#writtenBytes();
    const isRead = written - this.#lastWritten >= MIN_PROGRESS_BYTES;
    this.#lastWritten = written;
    for (const call of this.calls) {
      if (call.isStalled(nowMs, isRead || !this.isOver) && (this.isOver || this.keepsTooMuch)) call.end();
    }
  }

  /** Where much is held, by this connection or by all, resolves when one of its calls may be handled. */
  pace(call: CallBytes): Promise<void> | undefined {
    const turn = this.#pace.begin(call);
    return turn ? turn.then(() => this.budget.pace.begin(call)) : this.budget.pace.begin(call);
  }
}

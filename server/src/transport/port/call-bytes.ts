import { CALL_BYTES, CALL_STALL_TIMEOUT_MS, OVER_SHARE_STALL_TIMEOUT_MS } from "../../limits.ts";
import type { ConnectionBytes } from "./connection-bytes.ts";

/** Longest that a call waits for its turn to be read on. */
const MAX_WAIT_MS = 30_000;
/** What a call may be sent before it is counted again, in bytes: the window of a stream that is one of many. */
const READ_BYTES = 32 * 1_024;
/** How long that counts where it was not sent. */
const READ_MS = 100;

/** A call whose bytes count. */
export interface CountedCall {
  /** What waits in its queues, for the handler or for the network, in bytes. */
  queuedBytes(): number;
  /** What waits for the network alone. */
  unsentBytes(): number;
  /** Ends the call because it is in the way of others. */
  end(): void;
}

/** What one call holds. */
export class CallBytes {
  readonly connection: ConnectionBytes;
  /** What the connection's sum has of it. */
  countedBytes = 0;
  /** Of complete messages that are kept until others take their places. */
  keptBytes = 0;
  readonly #call: CountedCall;
  #assembledBytes = 0;
  /** What it may read on, for it has waited. */
  #grantedBytes = 0;
  #grantedAtMs = 0;
  #movedAtMs = performance.now();
  #waitsSinceMs: number | undefined;
  #unsentSinceMs: number | undefined;
  #isClosed = false;

  constructor(connection: ConnectionBytes, call: CountedCall) {
    this.connection = connection;
    this.#call = call;
  }

  /** Sums what the call holds at the moment. */
  count(): number {
    if (this.#grantedBytes > 0 && performance.now() - this.#grantedAtMs > READ_MS) this.#grantedBytes = 0;
    // Calls whose requests are on their way are bounded by their places.
    const ownBytes = this.#call.unsentBytes() > 0 ? CALL_BYTES : 0;
    this.countedBytes = ownBytes + this.#assembledBytes + this.#grantedBytes + this.#call.queuedBytes();
    return this.countedBytes;
  }

  /** Brings the connection's sum up to date with what the call holds: its answer waits for its reader. */
  recount(): void {
    if (this.#isClosed) return;
    const beforeBytes = this.countedBytes;
    this.connection.add(this.count() - beforeBytes);
  }

  get isAnswered(): boolean {
    return this.#isClosed || this.#call.unsentBytes() > 0;
  }

  get isHolder(): boolean {
    return this.#assembledBytes > 0;
  }

  /** A piece of the request has arrived. */
  moved(): void {
    this.#movedAtMs = performance.now();
  }

  /**
   * Counts what is held of a message that is not complete; a negative number when it
   * is let go, 0 before the first. Where there is too much already, resolves when the
   * call may be read on.
   */
  hold(deltaBytes: number): Promise<void> | undefined {
    if (this.#isClosed) return undefined;
    const { budget } = this.connection;
    this.#assembledBytes += deltaBytes;
    const freedBytes = this.#grantedBytes - deltaBytes;
    this.#grantedBytes = 0;
    this.#add(-freedBytes);
    if (this.isHolder) budget.holders.add(this);
    else budget.holders.delete(this);
    if (freedBytes > 0) budget.wake();
    if (deltaBytes === 0) return this.#begin();
    return deltaBytes < 0 || this.#mayGrow() ? undefined : this.#waitForMore();
  }

  /**
   * Counts complete messages that are kept until others take their places; a negative
   * number when they are let go.
   */
  keep(deltaBytes: number): void {
    if (this.#isClosed) return;
    this.keptBytes += deltaBytes;
    this.connection.keep(deltaBytes);
    if (deltaBytes < 0) this.connection.budget.wake();
  }

  /** Where so many bytes may not be kept, resolves when they may, or when the call is over. */
  room(bytes: number): Promise<void> | undefined {
    return this.#isClosed || this.#mayGrow(bytes) ? undefined : this.#waitUntil(() => this.#mayGrow(bytes));
  }

  /**
   * Whether the client is the one that the call waits for, and has been for too long.
   *
   * @param isRead Whether the client has read some of its answers since the last look.
   */
  isStalled(nowMs: number, isRead: boolean): boolean {
    const { isOver, keepsTooMuch, isOverShare } = this.connection;
    const timeoutMs = isOverShare ? OVER_SHARE_STALL_TIMEOUT_MS : CALL_STALL_TIMEOUT_MS;
    if (isRead || this.#call.unsentBytes() === 0) this.#unsentSinceMs = undefined;
    else this.#unsentSinceMs ??= nowMs;
    if (this.#unsentSinceMs !== undefined && nowMs - this.#unsentSinceMs > timeoutMs) return true;
    if (this.#waitsSinceMs !== undefined) return nowMs - this.#waitsSinceMs > MAX_WAIT_MS;
    const isInTheWay = (this.isHolder && isOver) || (this.keptBytes > 0 && keepsTooMuch);
    return isInTheWay && nowMs - this.#movedAtMs > timeoutMs;
  }

  end(): void {
    this.connection.budget.options.onEnded?.();
    this.#call.end();
    // At once, so that no more calls are ended than have to be.
    this.close();
  }

  /** The call is over, whichever way. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#assembledBytes = 0;
    this.connection.budget.holders.delete(this);
    this.connection.close(this);
  }

  #add(bytes: number): void {
    this.countedBytes += bytes;
    this.connection.add(bytes);
  }

  /** @param bytes Of a message that is to be complete at once. */
  #mayGrow(bytes = this.#assembledBytes): boolean {
    const { budget, heldBytes, eldestHolder = this, eldestKeeper = this } = this.connection;
    if (heldBytes > budget.options.maxConnectionBytes && eldestHolder !== this) return false;
    // A message that takes the place of one of its size is not in the way.
    const needsRoom = bytes > this.keptBytes && eldestKeeper !== this;
    if (needsRoom && this.connection.keepsTooMuch) return false;
    if (!this.connection.isOverShare) return true;
    const [eldest = this] = budget.holders;
    return eldest === this;
  }

  #begin(): Promise<void> | undefined {
    const turn = this.connection.pace(this);
    if (turn) return turn.then(() => (this.#mayGrow() ? undefined : this.#waitForMore()));
    return this.#mayGrow() ? undefined : this.#waitForMore();
  }

  /** Resolves when the call may be read on. What it is going to read counts already, or all who wait would go on at once. */
  #waitForMore(): Promise<void> {
    return this.#waitUntil(() => {
      if (!this.#mayGrow()) return false;
      this.#grantedBytes = READ_BYTES;
      this.#grantedAtMs = performance.now();
      this.#add(READ_BYTES);
      return true;
    });
  }

  async #waitUntil(isReady: () => boolean): Promise<void> {
    this.#waitsSinceMs = performance.now();
    await this.connection.budget.when(() => this.#isClosed || isReady());
    this.#waitsSinceMs = undefined;
    this.moved();
  }
}

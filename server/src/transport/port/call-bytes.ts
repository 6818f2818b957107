import { CALL_BYTES, CALL_STALL_TIMEOUT_MS, OVER_SHARE_STALL_TIMEOUT_MS } from "../../limits.ts";
import type { Link } from "../../runtime/chain.ts";
import type { ConnectionBytes } from "./connection-bytes.ts";

/** Longest wait of a call for room that calls ahead of it take up while they wait for their clients. */
const MAX_WAIT_MS = 30_000;
/** Length of a chain of waits: for the connection's oldest holder, for its oldest keeper, for the process's oldest holder. */
const MAX_AHEAD = 3;
/** Bytes that a call may receive before it is counted again: the window of one stream among many. */
const READ_BYTES = 32 * 1_024;
/** Time after which bytes that were granted but not sent stop counting. */
const READ_MS = 100;

/** A call whose bytes are counted. */
export interface CountedCall {
  /** Bytes in its queues, for the handler or for the network. */
  queuedBytes(): number;
  /** Bytes that wait for the network alone. */
  unsentBytes(): number;
  /** Ends the call because it blocks others. */
  end(): void;
}

/** Reads the request of a counted call. */
export interface CountedReader {
  /** Whether it can't go on before the client sends more. */
  readonly isAwaited: boolean;
}

/** Bytes that a call wants to hold, and since when. */
interface Wait {
  readonly bytes: number | undefined;
  sinceMs: number;
}

/** Counts the bytes that one call holds. */
export class CallBytes {
  readonly connection: ConnectionBytes;
  /** Place among the connection's calls. */
  link: Link<CallBytes> | undefined;
  /** Part of the connection's sum that is this call's. */
  countedBytes = 0;
  /** Bytes of complete messages that are kept until the next ones replace them. */
  keptBytes = 0;
  /** Set by whatever reads the request, once something does. */
  reader: CountedReader | undefined;
  readonly #call: CountedCall;
  #assembledBytes = 0;
  /** Bytes that the call may receive because it has waited for its turn. They count until they arrive. */
  #grantedBytes = 0;
  #grantedAtMs = 0;
  /** Whether some of the request has come since the last look. */
  #hasMoved = true;
  /** Whether the last look found that the call can't go on without its client. */
  #awaitsClient = false;
  /** Times of looks: since when the client is waited for, and since when it has not read. */
  #idleSinceMs = 0;
  #unreadSinceMs: number | undefined;
  #wait: Wait | undefined;
  #isClosed = false;

  constructor(connection: ConnectionBytes, call: CountedCall) {
    this.connection = connection;
    this.#call = call;
  }

  /** Adds up what the call holds at the moment. */
  count(): number {
    if (this.#grantedBytes > 0 && performance.now() - this.#grantedAtMs > READ_MS) this.#grantedBytes = 0;
    // Calls whose requests are still arriving need no such charge: the limits of calls in flight bound them.
    const ownBytes = this.#call.unsentBytes() > 0 ? CALL_BYTES : 0;
    this.countedBytes = ownBytes + this.#assembledBytes + this.#grantedBytes + this.#call.queuedBytes();
    return this.countedBytes;
  }

  /** Updates the connection's sum with what the call holds, when its answer waits for its reader. */
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

  /** Whether the call may not be read on, since too much is held. */
  get isWaiting(): boolean {
    return this.#wait !== undefined;
  }

  /** Notes that a piece of the request has arrived. */
  moved(): void {
    this.#hasMoved = true;
  }

  /**
   * Counts the bytes held of an incomplete message: a negative number when they are released, 0 before the first. If
   * too much is held already, resolves when the call may be read on.
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
   * Counts complete messages that are kept until the next ones replace them; a negative number when they are released.
   */
  keep(deltaBytes: number): void {
    if (this.#isClosed) return;
    this.keptBytes += deltaBytes;
    this.connection.keep(deltaBytes);
    if (deltaBytes < 0) this.connection.budget.wake();
  }

  /**
   * Resolves when this many bytes may be kept, or when the call is over. Returns undefined if they may be kept at once.
   */
  room(bytes: number): Promise<void> | undefined {
    return this.#isClosed || this.#mayGrow(bytes) ? undefined : this.#waitUntil(() => this.#mayGrow(bytes), bytes);
  }

  /**
   * Returns whether the call has waited for its client for too long. Time in which it waits for the server does not
   * count: for its turn, for a thread, for its handler.
   *
   * @param isRead Whether the client has read some of its answers since the last look.
   */
  isStalled(isRead: boolean): boolean {
    const { budget, isOver, keepsTooMuch, isOverShare } = this.connection;
    const nowMs = budget.watchedMs;
    const timeoutMs = isOverShare ? OVER_SHARE_STALL_TIMEOUT_MS : CALL_STALL_TIMEOUT_MS;
    const isUnread = !isRead && this.#call.unsentBytes() > 0;
    if (isUnread && isOver) this.#unreadSinceMs ??= nowMs;
    else this.#unreadSinceMs = undefined;
    this.#awaitsClient = isUnread || this.reader?.isAwaited === true;
    if (this.#hasMoved || !this.#awaitsClient) this.#idleSinceMs = nowMs;
    this.#hasMoved = false;
    if (this.#unreadSinceMs !== undefined && nowMs - this.#unreadSinceMs >= timeoutMs) return true;
    if (this.#wait) {
      if (!this.#isBlocked) this.#wait.sinceMs = nowMs;
      return nowMs - this.#wait.sinceMs >= MAX_WAIT_MS;
    }
    const isInTheWay = (this.isHolder && isOver) || (this.keptBytes > 0 && keepsTooMuch);
    return isInTheWay && nowMs - this.#idleSinceMs >= timeoutMs;
  }

  end(): void {
    this.connection.budget.options.onEnded?.();
    this.#call.end();
    // Close now, so that the freed bytes count at once and no more calls are ended than necessary.
    this.close();
  }

  /** Releases the call's bytes when it is over, however it ended. */
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

  /** @param bytes Size of a message that is to become complete at once. */
  #mayGrow(bytes?: number): boolean {
    return this.#ahead(bytes) === undefined;
  }

  /** Returns the call that goes on before this one may grow, if there is one. */
  #ahead(bytes = this.#assembledBytes): CallBytes | undefined {
    const { budget, heldBytes, eldestHolder = this, eldestKeeper = this } = this.connection;
    if (heldBytes > budget.options.maxConnectionBytes && eldestHolder !== this) return eldestHolder;
    // A message that replaces one of at least its size needs no room.
    const needsRoom = bytes > this.keptBytes && eldestKeeper !== this;
    if (needsRoom && this.connection.keepsTooMuch) return eldestKeeper;
    if (!this.connection.isOverShare) return undefined;
    const [eldest = this] = budget.holders;
    return eldest === this ? undefined : eldest;
  }

  /**
   * Whether what a waiting call waits for can't go on without its client. Two calls that wait for each other count too,
   * or neither would ever end.
   */
  get #isBlocked(): boolean {
    let call: CallBytes = this;
    for (let i = 0; call.#wait && i <= MAX_AHEAD; i++) {
      const ahead = call.#ahead(call.#wait.bytes);
      if (!ahead) return false;
      call = ahead;
    }
    return call.#wait !== undefined || call.#awaitsClient;
  }

  #begin(): Promise<void> | undefined {
    const turn = this.connection.pace(this);
    if (turn) return turn.then(() => (this.#mayGrow() ? undefined : this.#waitForMore()));
    return this.#mayGrow() ? undefined : this.#waitForMore();
  }

  /**
   * Resolves when the call may be read on. Counts the bytes it is about to receive at once, or all waiters would go on
   * together.
   */
  #waitForMore(): Promise<void> {
    return this.#waitUntil(() => {
      if (!this.#mayGrow()) return false;
      this.#grantedBytes = READ_BYTES;
      this.#grantedAtMs = performance.now();
      this.#add(READ_BYTES);
      return true;
    });
  }

  async #waitUntil(isReady: () => boolean, bytes?: number): Promise<void> {
    const { budget } = this.connection;
    this.#wait = { bytes, sinceMs: budget.watchedMs };
    await budget.when(() => this.#isClosed || isReady());
    this.#wait = undefined;
    this.moved();
  }
}

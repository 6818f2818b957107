import { nextTurn } from "../runtime/loop-turn.ts";

/** What a connection may hold in messages that are complete and kept, as a multiple of what it may hold else. */
const KEPT_FACTOR = 8;
/** Between two looks at what is held. */
const CHECK_INTERVAL_MS = 500;
/** A call that is in the way of others and has not moved for so long is ended. */
const STALL_TIMEOUT_MS = 5_000;
/** Longest that a call waits for its turn to be read on. */
const MAX_WAIT_MS = 30_000;
/** What a reader has to take between two looks, on its connection, to count as one that moves: more than answers to pings. */
const MIN_PROGRESS_BYTES = 4_096;
/** What each connection may hold, however many there are. */
const MIN_SHARE_BYTES = 64 * 1_024;
/** Calls of a connection that are handled at once while much is held, and how long each counts: slow ones hold up nobody. */
const MAX_FRESH_CALLS = 8;
const FRESH_MS = 10;
/** Calls of a connection that are begun between two sums of what it holds. */
const CALLS_PER_SUM = 8;

export interface ByteBudgetOptions {
  /** For the calls of one connection: requests that are not complete, and answers that have not left. */
  maxConnectionBytes: number;
  /** For all calls of the process. */
  maxProcessBytes: number;
  /** Called when a call was ended because it was in the way. */
  onEnded?: (() => void) | undefined;
}

/** A call whose bytes count. */
export interface CountedCall {
  /** What waits in its queues, for the handler or for the network, in bytes. */
  queuedBytes(): number;
  /** What waits for the network alone. */
  unsentBytes(): number;
  /** Ends the call because it is in the way of others. */
  end(): void;
}

/** Bounds what the process holds of requests and answers, and who may hold it. */
export class ByteBudget {
  readonly options: ByteBudgetOptions;
  /** Connections with calls under way. */
  readonly connections = new Set<ConnectionBytes>();
  /** Calls whose messages are not complete, the eldest first. */
  readonly holders = new Set<CallBytes>();
  heldBytes = 0;
  #wakers: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ByteBudgetOptions) {
    this.options = options;
  }

  get isOver(): boolean {
    return this.heldBytes > this.options.maxProcessBytes;
  }

  /** What a connection may hold while the process holds too much. */
  get shareBytes(): number {
    return Math.max(MIN_SHARE_BYTES, this.options.maxProcessBytes / Math.max(1, this.connections.size));
  }

  /** Resolves when something has changed. */
  change(): Promise<void> {
    return new Promise((resolve) => this.#wakers.push(resolve));
  }

  wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }

  watch(connection: ConnectionBytes): void {
    this.connections.add(connection);
    this.#timer ??= setTimeout(() => this.#check(), CHECK_INTERVAL_MS).unref();
  }

  #check(): void {
    for (const connection of this.connections) connection.sum();
    for (const connection of this.connections) connection.check();
    this.wake();
    this.#timer = undefined;
    if (this.connections.size > 0) this.#timer = setTimeout(() => this.#check(), CHECK_INTERVAL_MS).unref();
  }
}

/** What the calls of one connection hold. */
export class ConnectionBytes {
  readonly budget: ByteBudget;
  readonly calls = new Set<CallBytes>();
  /** As of the last sum, in bytes. */
  heldBytes = 0;
  /** Of complete messages, each the last of its stream, in bytes. */
  keptBytes = 0;
  readonly #writtenBytes: () => number;
  #lastWritten = 0;
  /** Calls that wait to be handled. */
  #line: Promise<void> = Promise.resolve();
  #fresh: { call: CallBytes; sinceMs: number }[] = [];
  #callsSinceSum = 0;

  /** @param writtenBytes All that has left on the connection so far. */
  constructor(budget: ByteBudget, writtenBytes: () => number) {
    this.budget = budget;
    this.#writtenBytes = writtenBytes;
  }

  /** Whether no new call of this connection may begin. */
  get isOver(): boolean {
    return this.heldBytes > this.budget.options.maxConnectionBytes || this.isOverShare;
  }

  /** Whether complete messages are in the way, too. */
  get keepsTooMuch(): boolean {
    return this.keptBytes > KEPT_FACTOR * this.budget.options.maxConnectionBytes || this.isOverShare;
  }

  /** Whether the process holds too much, and this connection more than its share. */
  get isOverShare(): boolean {
    return this.budget.isOver && this.heldBytes + this.keptBytes > this.budget.shareBytes;
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

  /**
   * Resolves when a call may be handled. While much is held, few of a connection are
   * at once, so that the first answers are counted before the last are made.
   */
  pace(call: CallBytes): Promise<void> {
    if (this.#hasRoom) return Promise.resolve();
    this.#line = this.#line.then(() => this.#begin(call));
    return this.#line;
  }

  /** Whether little is held, here and in the process, so that a small call need not be counted. */
  get isQuiet(): boolean {
    return this.#hasRoom;
  }

  get #hasRoom(): boolean {
    const { maxConnectionBytes, maxProcessBytes } = this.budget.options;
    return this.heldBytes < maxConnectionBytes / 4 && this.budget.heldBytes < maxProcessBytes / 2;
  }

  async #begin(call: CallBytes): Promise<void> {
    while (!this.#hasRoom && this.#countFresh() >= MAX_FRESH_CALLS) await nextTurn();
    this.#fresh.push({ call, sinceMs: performance.now() });
    this.sum();
  }

  /** Of the calls that were begun a moment ago, those that have no answer yet. */
  #countFresh(): number {
    const nowMs = performance.now();
    this.#fresh = this.#fresh.filter(({ call, sinceMs }) => nowMs - sinceMs < FRESH_MS && !call.isAnswered);
    return this.#fresh.length;
  }
}

/** What one call holds. */
export class CallBytes {
  /** What the connection's sum has of it. */
  countedBytes = 0;
  /** Of complete messages that are kept until others take their places. */
  keptBytes = 0;
  readonly #connection: ConnectionBytes;
  readonly #call: CountedCall;
  #assembledBytes = 0;
  #movedAtMs = performance.now();
  #waitsSinceMs: number | undefined;
  #unsentSinceMs: number | undefined;
  #isClosed = false;

  constructor(connection: ConnectionBytes, call: CountedCall) {
    this.#connection = connection;
    this.#call = call;
  }

  /** Sums what the call holds at the moment. */
  count(): number {
    this.countedBytes = this.#assembledBytes + this.#call.queuedBytes();
    return this.countedBytes;
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
    const { budget } = this.#connection;
    this.#assembledBytes += deltaBytes;
    this.countedBytes += deltaBytes;
    this.#connection.add(deltaBytes);
    if (this.isHolder) budget.holders.add(this);
    else budget.holders.delete(this);
    if (deltaBytes < 0) budget.wake();
    if (deltaBytes === 0) return this.#begin();
    return deltaBytes < 0 || this.#mayGrow() ? undefined : this.#wait();
  }

  /**
   * Counts complete messages that are kept until others take their places; a negative
   * number when they are let go.
   */
  keep(deltaBytes: number): void {
    if (this.#isClosed) return;
    this.keptBytes += deltaBytes;
    this.#connection.keep(deltaBytes);
    if (deltaBytes < 0) this.#connection.budget.wake();
  }

  /** Where so many bytes may not be kept, resolves when they may, or when the call is over. */
  room(bytes: number): Promise<void> | undefined {
    return this.#isClosed || this.#mayGrow(bytes) ? undefined : this.#wait(bytes);
  }

  /**
   * Whether the client is the one that the call waits for, and has been for too long.
   *
   * @param isRead Whether the client has read some of its answers since the last look.
   */
  isStalled(nowMs: number, isRead: boolean): boolean {
    if (isRead || this.#call.unsentBytes() === 0) this.#unsentSinceMs = undefined;
    else this.#unsentSinceMs ??= nowMs;
    if (this.#unsentSinceMs !== undefined && nowMs - this.#unsentSinceMs > STALL_TIMEOUT_MS) return true;
    if (this.#waitsSinceMs !== undefined) return nowMs - this.#waitsSinceMs > MAX_WAIT_MS;
    const { isOver, keepsTooMuch } = this.#connection;
    const isInTheWay = (this.isHolder && isOver) || (this.keptBytes > 0 && keepsTooMuch);
    return isInTheWay && nowMs - this.#movedAtMs > STALL_TIMEOUT_MS;
  }

  end(): void {
    this.#connection.budget.options.onEnded?.();
    this.#call.end();
    // At once, so that no more calls are ended than have to be.
    this.close();
  }

  /** The call is over, whichever way. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#assembledBytes = 0;
    this.#connection.budget.holders.delete(this);
    this.#connection.close(this);
  }

  /** @param bytes Of a message that is to be complete at once. */
  #mayGrow(bytes = this.#assembledBytes): boolean {
    const { budget, heldBytes, eldestHolder = this, eldestKeeper = this } = this.#connection;
    if (heldBytes > budget.options.maxConnectionBytes && eldestHolder !== this) return false;
    // A message that takes the place of one of its size is not in the way.
    const needsRoom = bytes > this.keptBytes && eldestKeeper !== this;
    if (needsRoom && this.#connection.keepsTooMuch) return false;
    if (!this.#connection.isOverShare) return true;
    const [eldest = this] = budget.holders;
    return eldest === this;
  }

  async #begin(): Promise<void> {
    await this.#connection.pace(this);
    if (!this.#mayGrow()) await this.#wait();
  }

  async #wait(bytes?: number): Promise<void> {
    this.#waitsSinceMs = performance.now();
    while (!this.#isClosed && !this.#mayGrow(bytes)) await this.#connection.budget.change();
    this.#waitsSinceMs = undefined;
    this.moved();
  }
}

import type { Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { MessageReader } from "@rollcall/shared/message-reader";
import { endsWithin, tooLarge } from "../../rpc/call-errors.ts";
import { isTurnOver, nextTurn } from "../../runtime/loop-turn.ts";

/** Largest queue of complete messages, in bytes with their envelopes, so that their number is bounded too. Beyond it the wire pauses. */
const MAX_QUEUED_BYTES = 32 * 1_024;

export interface RequestMessagesOptions {
  /** Largest message, in bytes. */
  maxBytes: number;
  /** Whether the handler is done with a message's bytes when it asks for the next. */
  lendsMessages: boolean;
  /**
   * Makes the message of what was in an envelope; undefined for one that is no message.
   *
   * @throws ConnectError for a message that can't be read, or breaks a rule.
   */
  read(bytes: Uint8Array, flags: number): Message | undefined | Promise<Message | undefined>;
  /** Counts what is held of a message that is not complete. Where it returns a promise, more may be read when that resolves. */
  hold(deltaBytes: number): Promise<void> | undefined;
  /** Whether messages may get room for more than has come of them. */
  hasRoom(): boolean;
  /** The handler needs no message any more, the last that it has got included. */
  onRead(): void;
  /** Has the wire wait, or go on. */
  pause(): void;
  resume(): void;
  /** Nothing more is wanted. */
  ignoreRest(): void;
}

interface Waiter {
  resolve(result: IteratorResult<Message, undefined>): void;
  reject(error: unknown): void;
}

/**
 * The messages of a request, as their handler asks for them: each is parsed when it is
 * asked for, in a turn of the loop that has time left.
 */
export class RequestMessages implements AsyncIterableIterator<Message, undefined> {
  readonly #options: RequestMessagesOptions;
  readonly #reader: MessageReader;
  /** Handlers that wait, mostly one. */
  readonly #waiters: Waiter[] = [];
  #heldBytes = 0;
  /** While a message waits for its turn, or is inflated: those behind it wait as well. */
  #isBusy = false;
  #isEnded = false;
  #isClosed = false;
  #error: unknown;
  #endedWith: ConnectError | undefined;
  #isFull = false;
  #isHeld = false;

  constructor(options: RequestMessagesOptions) {
    this.#options = options;
    this.#reader = new MessageReader(options.maxBytes, () => options.hasRoom(), options.lendsMessages);
  }

  /** Whether the handler waits for the client. */
  get isAwaited(): boolean {
    return this.#waiters.length > 0 && !this.#isBusy && !this.#isHeld;
  }

  get queuedBytes(): number {
    return this.#reader.queuedBytes;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#serve();
    });
  }

  /** The handler reads no more: the rest stays on the wire. */
  async return(): Promise<IteratorResult<Message, undefined>> {
    this.#isClosed = true;
    this.#letGo();
    this.#serve();
    return { done: true, value: undefined };
  }

  /** Takes a piece of the body. */
  push(bytes: Uint8Array): void {
    if (this.#isClosed || this.#error !== undefined) return;
    this.#reader.push(bytes, !this.isAwaited);
    this.#hold();
    this.#serve();
    if (this.#reader.queuedBytes > MAX_QUEUED_BYTES || this.#reader.tooLargeBytes !== undefined) {
      this.#isFull = true;
      this.#options.pause();
    }
  }

  /** The body is complete, or was broken off with an error, which comes behind its messages. */
  end(error?: ConnectError): void {
    this.#isEnded = true;
    this.#endedWith = error;
    this.#serve();
  }

  /** Gives the handler an error in place of what it has not read. */
  fail(error: unknown): void {
    if (this.#isClosed) return;
    if (this.#error !== undefined) {
      this.#reader.clear();
      return;
    }
    this.#error = error;
    this.#letGo();
    this.#serve();
  }

  #letGo(): void {
    this.#reader.clear();
    this.#hold();
    this.#options.onRead();
    if (!this.#isEnded) this.#options.ignoreRest();
  }

  #hold(): void {
    const delta = this.#reader.heldBytes - this.#heldBytes;
    if (delta === 0) return;
    this.#heldBytes += delta;
    const waiting = this.#options.hold(delta);
    if (!waiting) return;
    this.#isHeld = true;
    this.#options.pause();
    waiting.then(() => {
      this.#isHeld = false;
      this.#goOn();
    });
  }

  #goOn(): void {
    if (!this.#isFull && !this.#isHeld && !this.#isClosed && this.#error === undefined) this.#options.resume();
  }

  /** Gives waiting handlers the messages that have come, or the end. */
  #serve(): void {
    while (!this.#isBusy) {
      const [waiter] = this.#waiters;
      if (!waiter) return;
      const bytes = this.#takeMessage();
      if (bytes) {
        this.#give(bytes, this.#reader.flags);
        continue;
      }
      const error = this.#endError();
      if (error !== undefined) waiter.reject(error);
      else if (this.#isClosed || this.#isEnded) {
        this.#options.onRead();
        waiter.resolve({ done: true, value: undefined });
      } else return;
      this.#waiters.shift();
    }
  }

  #takeMessage(): Uint8Array | undefined {
    const bytes = this.#reader.take();
    if (this.#isFull && this.#reader.queuedBytes <= MAX_QUEUED_BYTES / 2 && this.#reader.tooLargeBytes === undefined) {
      this.#isFull = false;
      this.#goOn();
    }
    return bytes;
  }

  /** Why there is nothing behind the last whole message. */
  #endError(): unknown {
    if (this.#error !== undefined) return this.#error;
    if (this.#isClosed) return undefined;
    const { tooLargeBytes } = this.#reader;
    if (tooLargeBytes !== undefined) this.#error = tooLarge(tooLargeBytes, this.#options.maxBytes);
    else if (this.#endedWith) this.#error = this.#endedWith;
    else if (this.#isEnded && this.#reader.isWithin) this.#error = endsWithin();
    return this.#error;
  }

  #give(bytes: Uint8Array, flags: number): void {
    if (isTurnOver()) {
      this.#isBusy = true;
      void nextTurn().then(() => {
        this.#isBusy = false;
        this.#read(bytes, flags);
        this.#serve();
      });
    } else this.#read(bytes, flags);
  }

  #read(bytes: Uint8Array, flags: number): void {
    if (this.#error !== undefined) return;
    try {
      const message = this.#options.read(bytes, flags);
      if (message instanceof Promise) {
        this.#isBusy = true;
        message.then(
          (inflated) => this.#settle(inflated),
          (error: unknown) => this.#refuse(error),
        );
      } else if (message) this.#waiters.shift()?.resolve({ done: false, value: message });
    } catch (error) {
      this.#refuse(error);
    }
  }

  #settle(message: Message | undefined): void {
    this.#isBusy = false;
    if (message && this.#error === undefined) this.#waiters.shift()?.resolve({ done: false, value: message });
    this.#serve();
  }

  /** Fails the request at a message that can't be read, and drops the rest. */
  #refuse(error: unknown): void {
    this.#isBusy = false;
    this.fail(error);
    this.#serve();
  }
}

import type { Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { MessageReader } from "@rollcall/shared/message-reader";
import { endsWithin, tooLarge } from "../../rpc/call-errors.ts";
import { isTurnOver, nextTurn } from "../../runtime/loop-turn.ts";

/**
 * Largest queue of complete messages, in bytes including their envelopes, so that their number is bounded too. Above it
 * the wire is paused.
 */
const MAX_QUEUED_BYTES = 32 * 1_024;

export interface RequestMessagesOptions {
  /** Largest message, in bytes. */
  maxBytes: number;
  /** Whether the handler no longer needs a message's bytes when it asks for the next message. */
  lendsMessages: boolean;
  /**
   * Makes a message from the content of an envelope; returns undefined if the envelope is not a message.
   *
   * @throws ConnectError for a message that can't be read, or breaks a rule.
   */
  read(bytes: Uint8Array, flags: number): Message | undefined | Promise<Message | undefined>;
  /** Counts the bytes held of an incomplete message. If it returns a promise, reading continues when that resolves. */
  hold(deltaBytes: number): Promise<void> | undefined;
  /** Returns whether messages may get memory for more than the bytes that have arrived. */
  hasRoom(): boolean;
  /** Called when the handler needs no message any more, not even the last one that it got. */
  onRead(): void;
  /** Pauses or resumes the wire. */
  pause(): void;
  resume(): void;
  /** Called when the rest of the request is not wanted. */
  ignoreRest(): void;
}

interface Waiter {
  resolve(result: IteratorResult<Message, undefined>): void;
  reject(error: unknown): void;
}

/**
 * The messages of a request, for their handler. Each is parsed when the handler asks for it, in a turn of the loop that
 * has time left.
 */
export class RequestMessages implements AsyncIterableIterator<Message, undefined> {
  readonly #options: RequestMessagesOptions;
  readonly #reader: MessageReader;
  /** Pending calls of `next`; usually one. */
  readonly #waiters: Waiter[] = [];
  #heldBytes = 0;
  /** Set while a message waits for its turn, or is inflated. Later messages have to wait too. */
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

  /** Called when the handler reads no more. The rest stays on the wire. */
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

  /** Called when the body is complete, or was broken off with an error. The error comes after the body's messages. */
  end(error?: ConnectError): void {
    this.#isEnded = true;
    this.#endedWith = error;
    this.#serve();
  }

  /** Gives the handler an error in place of the messages that it has not read. */
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

  /** Gives waiting handlers the messages that have arrived, or the end. */
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

  /** Returns the error after the last whole message; undefined if there is none. */
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

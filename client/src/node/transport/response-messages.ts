import type { Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { COMPRESSED } from "@rollcall/shared/envelope";
import { MessageReader } from "@rollcall/shared/message-reader";
import { broken, toBroken, tooLarge } from "./faults.ts";
import type { MethodPlan } from "./plan.ts";
import { inflate } from "./read-unary.ts";

/**
 * Largest queue of whole messages, in bytes including their envelopes. Above it the wire is paused until half is read.
 */
const MAX_QUEUED_BYTES = 64 * 1_024;

export interface ResponseMessagesOptions {
  readonly plan: MethodPlan;
  /** Pauses or resumes the wire. */
  pause(): void;
  resume(): void;
  /** Reads the content of the envelope that ends the answer. @throws the error in it. */
  readEnd(content: Uint8Array): void;
  /** Called at the end of the answer. @throws the error that it has ended with, or one for a missing part. */
  atEnd(): void;
  /** Called once, when reading ends: after the last message, with the error, or with neither if the caller left. */
  onClose(how: { error?: ConnectError | undefined; isLeft: boolean }): void;
}

interface Waiter {
  resolve(result: IteratorResult<Message, undefined> | Promise<IteratorResult<Message, undefined>>): void;
  reject(error: unknown): void;
}

type Taken = IteratorResult<Message, undefined> | Promise<IteratorResult<Message, undefined>> | undefined;

const DONE = Object.freeze({ done: true, value: undefined }) satisfies IteratorResult<Message, undefined>;

/** The messages of an answer. Each is parsed when its caller asks for it. */
export class ResponseMessages implements AsyncIterableIterator<Message, undefined> {
  readonly #options: ResponseMessagesOptions;
  readonly #reader: MessageReader;
  readonly #waiters: Waiter[] = [];
  /** Coding of the messages that are compressed. */
  coding: Compression | undefined;
  /** Whether the head already has the call's status, so that nothing may follow. */
  hasHeadStatus = false;
  /** Set while a message is inflated; later ones have to wait. */
  #isBusy = false;
  #isPaused = false;
  #isEnded = false;
  #isClosed = false;
  /** Whether the envelope that ends the answer has arrived. */
  #hasEnd = false;
  /** Error that the next reader gets, whatever else has arrived. */
  #error: { readonly error: unknown } | undefined;

  constructor(options: ResponseMessagesOptions) {
    this.#options = options;
    this.#reader = new MessageReader(options.plan.options.readMaxBytes);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    if (this.#waiters.length === 0 && !this.#isBusy) {
      try {
        const result = this.#take();
        if (result) return Promise.resolve(result);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** Called when the caller stops reading: ends the call. */
  async return(): Promise<IteratorResult<Message, undefined>> {
    this.#close(undefined, true);
    this.#serve();
    return DONE;
  }

  async throw(reason: unknown): Promise<IteratorResult<Message, undefined>> {
    this.#close(undefined, true);
    this.#serve();
    throw reason;
  }

  push(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#reader.push(bytes, this.#waiters.length === 0);
    this.#serve();
    if (this.#reader.queuedBytes <= MAX_QUEUED_BYTES || this.#isPaused || this.#isClosed) return;
    this.#isPaused = true;
    this.#options.pause();
  }

  /** Notes that nothing more will arrive. */
  end(): void {
    this.#isEnded = true;
    this.#serve();
  }

  /** Gives the reader an error in place of everything that it has not read. */
  fail(error: ConnectError): void {
    if (this.#isClosed) return;
    this.#error = { error };
    this.#reader.clear();
    this.#serve();
  }

  #serve(): void {
    while (this.#waiters.length > 0 && !this.#isBusy) {
      let result: Taken;
      try {
        result = this.#take();
      } catch (error) {
        this.#waiters.shift()?.reject(error);
        continue;
      }
      if (!result) return;
      this.#waiters.shift()?.resolve(result);
    }
  }

  /** Returns the next message; undefined if it has not arrived. Closes at the end, and when it throws. */
  #take(): Taken {
    try {
      return this.#takeNext();
    } catch (reason) {
      const error = toBroken(reason);
      this.#close(error, false);
      throw error;
    }
  }

  #takeNext(): Taken {
    if (this.#isClosed) return DONE;
    if (this.#error) throw this.#error.error;
    const { plan } = this.#options;
    const { endFlag } = plan.form;
    for (;;) {
      const bytes = this.#reader.take();
      if (!bytes) break;
      if (this.#isPaused && this.#reader.queuedBytes <= MAX_QUEUED_BYTES / 2) {
        this.#isPaused = false;
        this.#options.resume();
      }
      const { flags } = this.#reader;
      if ((flags & COMPRESSED) !== 0) return this.#inflate(bytes, flags);
      if (endFlag === 0 || (flags & endFlag) !== endFlag) return { done: false, value: this.#parse(bytes) };
      this.#readEnd(bytes);
    }
    const { tooLargeBytes, isWithin } = this.#reader;
    if (tooLargeBytes !== undefined) throw tooLarge(tooLargeBytes, plan.options.readMaxBytes);
    if (!this.#isEnded && !this.#hasEnd) return undefined;
    this.#options.atEnd();
    if (isWithin) throw broken("it ends within a message");
    if (endFlag !== 0 && !this.#hasEnd && !this.hasHeadStatus) throw broken("its end is missing");
    this.#close(undefined, false);
    return DONE;
  }

  #parse(bytes: Uint8Array): Message {
    if (this.#hasEnd || this.hasHeadStatus) throw broken("a message follows behind its end");
    return this.#options.plan.parse(bytes);
  }

  #readEnd(content: Uint8Array): void {
    if (this.#hasEnd || this.hasHeadStatus) throw broken("it ends twice");
    this.#hasEnd = true;
    this.#options.readEnd(content);
  }

  async #inflate(bytes: Uint8Array, flags: number): Promise<IteratorResult<Message, undefined>> {
    const { plan } = this.#options;
    this.#isBusy = true;
    try {
      const content = await inflate(bytes, flags, this.coding, plan.options.readMaxBytes);
      if (this.#error) throw this.#error.error;
      if (this.#isClosed) return DONE;
      const { endFlag } = plan.form;
      if (endFlag === 0 || (flags & endFlag) !== endFlag) return { done: false, value: this.#parse(content) };
      this.#readEnd(content);
    } catch (reason) {
      const error = toBroken(reason);
      this.#close(error, false);
      throw error;
    } finally {
      this.#isBusy = false;
      // Waiting readers get their messages after the reader of this one.
      if (this.#waiters.length > 0) queueMicrotask(() => this.#serve());
    }
    return this.#takeBehind();
  }

  /** Returns the result that follows a compressed end. */
  #takeBehind(): Promise<IteratorResult<Message, undefined>> {
    return new Promise((resolve, reject) => {
      this.#waiters.unshift({ resolve, reject });
      this.#serve();
    });
  }

  #close(error: ConnectError | undefined, isLeft: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reader.clear();
    this.#options.onClose({ error, isLeft });
  }
}

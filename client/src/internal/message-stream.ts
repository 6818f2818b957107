import { type CallOptions, Code, ConnectError, type StreamResponse } from "@connectrpc/connect";

type Options = Pick<CallOptions, "signal" | "onHeader" | "onTrailer">;

const DONE = Object.freeze({ done: true, value: undefined });

/** The messages of an answer that may not have arrived yet. Adds no promise of its own to those of the transport. */
export class MessageStream<T> implements AsyncIterableIterator<T, undefined> {
  /** Cancels the call of a caller that leaves before the answer has begun. */
  readonly #controller = new AbortController();
  readonly #opening: Promise<AsyncIterator<T>>;
  #messages: AsyncIterator<T> | undefined;
  /** Called at a normal end, once. */
  #onTrailer: (() => void) | undefined;
  #isOver = false;

  /** @param open Opens the call, which ends when the signal is aborted. */
  constructor(
    open: (signal: AbortSignal) => Promise<StreamResponse>,
    { signal: given, onHeader, onTrailer }: Options = {},
  ) {
    const { signal } = this.#controller;
    // A listener on the caller's signal would stay there when a stream is neither read to its end nor left.
    this.#opening = open(given ? AbortSignal.any([given, signal]) : signal).then((response) => {
      const messages = response.message[Symbol.asyncIterator]() as AsyncIterator<never>;
      try {
        onHeader?.(response.header);
      } catch (error) {
        // The reader gets the error, and will not leave a stream that it has not got.
        messages.return?.()?.catch(() => {});
        throw error;
      }
      if (onTrailer) this.#onTrailer = () => onTrailer(response.trailer);
      this.#messages = messages;
      // The reader has left.
      if (this.#isOver) messages.return?.()?.catch(() => {});
      return messages;
    });
    // Reported to the reader, if there is one.
    this.#opening.catch(() => {});
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#messages && !this.#onTrailer ? this.#messages.next() : this.#nextObserved();
  }

  async #nextObserved(): Promise<IteratorResult<T, undefined>> {
    if (this.#isOver) return DONE;
    let result: IteratorResult<T, undefined>;
    try {
      result = await (this.#messages ?? (await this.#opening)).next();
    } catch (error) {
      if (!this.#end()) return DONE;
      throw error;
    }
    const onTrailer = this.#onTrailer;
    if (result.done && this.#end()) onTrailer?.();
    return result;
  }

  /** Returns false if the stream was already over. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#onTrailer = undefined;
    return true;
  }

  /** Called when the caller stops reading. Ends the call; if its answer has not begun, without waiting for that. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#end();
    if (this.#messages) await this.#messages.return?.();
    else this.#controller.abort(new ConnectError("the stream was left", Code.Canceled));
    return DONE;
  }

  async throw(reason: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return();
    throw reason;
  }
}

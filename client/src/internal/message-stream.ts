import type { CallOptions, StreamResponse } from "@connectrpc/connect";

type Hooks = Pick<CallOptions, "onHeader" | "onTrailer">;

const DONE = Object.freeze({ done: true, value: undefined });

/** The messages of an answer that may not have arrived yet. Adds no promise of its own to those of the transport. */
export class MessageStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #opening: Promise<AsyncIterator<T>>;
  #messages: AsyncIterator<T> | undefined;
  /** Called at the end, once. */
  #onEnd: (() => void) | undefined;
  #isOver = false;

  constructor(opening: Promise<StreamResponse>, { onHeader, onTrailer }: Hooks = {}) {
    this.#opening = opening.then((response) => {
      onHeader?.(response.header);
      if (onTrailer) this.#onEnd = () => onTrailer(response.trailer);
      this.#messages = response.message[Symbol.asyncIterator]() as AsyncIterator<never>;
      return this.#messages;
    });
    // Reported to the reader, if there is one.
    this.#opening.catch(() => {});
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#messages && !this.#onEnd ? this.#messages.next() : this.#nextOfOpening();
  }

  async #nextOfOpening(): Promise<IteratorResult<T, undefined>> {
    if (this.#isOver) return DONE;
    try {
      const result = await (this.#messages ?? (await this.#opening)).next();
      if (result.done) this.#end()?.();
      return result;
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #end(): (() => void) | undefined {
    this.#isOver = true;
    const onEnd = this.#onEnd;
    this.#onEnd = undefined;
    return onEnd;
  }

  /** Called when the caller stops reading. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#end();
    const messages = this.#messages ?? (await this.#opening.catch(() => undefined));
    await messages?.return?.();
    return DONE;
  }

  async throw(reason: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return();
    throw reason;
  }
}

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
  /** Releases the caller's signal, which may outlive the call. */
  #unlink: (() => void) | undefined;
  /** Whether the end has to be noticed. */
  readonly #isObserved: boolean;
  #isOver = false;

  /** @param open Opens the call, which ends when the signal is aborted. */
  constructor(open: (signal: AbortSignal) => Promise<StreamResponse>, { signal, onHeader, onTrailer }: Options = {}) {
    if (signal) this.#link(signal);
    this.#isObserved = signal !== undefined || onTrailer !== undefined;
    this.#opening = open(this.#controller.signal).then((response) => {
      onHeader?.(response.header);
      if (onTrailer) this.#onTrailer = () => onTrailer(response.trailer);
      this.#messages = response.message[Symbol.asyncIterator]() as AsyncIterator<never>;
      return this.#messages;
    });
    // Reported to the reader, if there is one.
    this.#opening.catch(() => this.#unlink?.());
  }

  #link(signal: AbortSignal): void {
    const abort = () => this.#controller.abort(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
    this.#unlink = () => signal.removeEventListener("abort", abort);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#messages && !this.#isObserved ? this.#messages.next() : this.#nextObserved();
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
    if (result.done && this.#end()) this.#onTrailer?.();
    return result;
  }

  /** Returns false if the stream was already over. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#unlink?.();
    return true;
  }

  /** Called when the caller stops reading. Ends the call, even if its answer has not begun. */
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

import { type CallOptions, Code, ConnectError, type StreamResponse } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";

type Options = Pick<CallOptions, "signal" | "onHeader" | "onTrailer">;

const DONE = Object.freeze({ done: true, value: undefined });
/** Reason with which the signal of a call is aborted. Created once, since each error gets a stack. */
const LEFT = new ConnectError("the stream was left", Code.Canceled);

/** The messages of an answer that may not have arrived yet. Adds no promise of its own to those of the transport. */
export class MessageStream<T> implements AsyncIterableIterator<T, undefined> {
  /** Cancels the call of a caller that leaves before the answer has begun. */
  readonly #controller: AbortController;
  readonly #opening: Promise<AsyncIterator<T>>;
  #messages: AsyncIterator<T> | undefined;
  /** Called at a normal end, once. */
  #onTrailer: (() => void) | undefined;
  /** Whether the end has to be noticed, for the hook, or since the caller's signal outlives the call. */
  #isObserved: boolean;
  #isOver = false;

  /** @param open Opens the call, which ends when the signal is aborted. */
  constructor(open: (signal: AbortSignal) => Promise<StreamResponse>, { signal, onHeader, onTrailer }: Options = {}) {
    this.#controller = createLinkedAbortController(signal);
    this.#isObserved = signal !== undefined || onTrailer !== undefined;
    this.#opening = open(this.#controller.signal).then((response) => {
      onHeader?.(response.header);
      if (onTrailer) this.#onTrailer = () => onTrailer(response.trailer);
      this.#messages = response.message[Symbol.asyncIterator]() as AsyncIterator<never>;
      return this.#messages;
    });
    // Reported to the reader, if there is one.
    this.#opening.catch(() => this.#controller.abort(LEFT));
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

  /** Releases the caller's signal. Returns false if the stream was already over. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#controller.abort(LEFT);
    return true;
  }

  /** Called when the caller stops reading. Ends the call, even if its answer has not begun. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#isOver = true;
    await this.#messages?.return?.();
    this.#controller.abort(LEFT);
    return DONE;
  }

  async throw(reason: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return();
    throw reason;
  }
}

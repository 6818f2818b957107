/** A value whose writer waits for a place. */
interface Waiting<T> {
  readonly value: T;
  readonly placed: PromiseWithResolvers<void>;
}

/** How a queue has ended. */
interface End {
  /** Error for the reader and writers. */
  readonly error?: unknown;
  /** Error for writers alone. */
  readonly lateError?: unknown;
}

/**
 * Passes values from writers to one reader in order. At most `capacity` of them wait; after that, a fast writer waits
 * for a slow reader.
 */
export class BoundedQueue<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #values: T[] = [];
  readonly #waiting: Waiting<T>[] = [];
  /** Set when nothing more can be written. */
  #end: End | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /**
   * Resolves once the value has its place.
   *
   * @throws the error that {@link fail} or {@link end} was called with.
   */
  async push(value: T): Promise<void> {
    if (this.#end) throw reasonOf(this.#end);
    if (this.#values.length < this.#capacity) {
      this.#place(value);
      return;
    }
    const placed = Promise.withResolvers<void>();
    this.#waiting.push({ value, placed });
    await placed.promise;
  }

  /** Ends the queue. The reader gets the waiting values, then the end. Writers get the error. */
  end(lateError: unknown = new Error("the stream has ended")): void {
    this.#finish({ lateError });
  }

  /** Ends the queue with an error. The reader gets the waiting values first; writers get the error immediately. */
  fail(error: unknown): void {
    this.#finish({ error });
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      if (this.#values.length > 0) {
        const value = this.#values.shift() as T;
        const next = this.#waiting.shift();
        if (next) {
          this.#place(next.value);
          next.placed.resolve();
        }
        yield value;
      } else if (this.#end) {
        if ("error" in this.#end) throw this.#end.error;
        return;
      } else {
        await this.#changed.promise;
      }
    }
  }

  #place(value: T): void {
    this.#values.push(value);
    this.#notify();
  }

  #finish(end: End): void {
    if (this.#end) return;
    this.#end = end;
    for (const { placed } of this.#waiting.splice(0)) placed.reject(reasonOf(end));
    this.#notify();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

function reasonOf({ error, lateError }: End): unknown {
  return error ?? lateError;
}

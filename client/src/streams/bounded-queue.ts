/**
 * Hands values from writers to one reader, at most `capacity` of them waiting: a
 * fast writer waits for a slow reader.
 */
export class BoundedQueue<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #values: T[] = [];
  /** Set once nothing more can be written. */
  #end: { error?: unknown } | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves once the value has its place. @throws what {@link fail} was called with, or Error after {@link end}. */
  async push(value: T): Promise<void> {
    while (!this.#end && this.#values.length >= this.#capacity) await this.#changed.promise;
    if (this.#end) throw this.#end.error ?? new Error("the stream has ended");
    this.#values.push(value);
    this.#notify();
  }

  /** The reader gets what is waiting, then the end. */
  end(): void {
    this.#finish({});
  }

  /** The reader gets what is waiting, then the error; writers get it at once. */
  fail(error: unknown): void {
    this.#finish({ error });
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      if (this.#values.length > 0) {
        const value = this.#values.shift() as T;
        this.#notify();
        yield value;
      } else if (this.#end) {
        if ("error" in this.#end) throw this.#end.error;
        return;
      } else {
        await this.#changed.promise;
      }
    }
  }

  #finish(end: { error?: unknown }): void {
    if (this.#end) return;
    this.#end = end;
    this.#notify();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

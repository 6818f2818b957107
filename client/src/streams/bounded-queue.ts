/** A value whose writer waits for its place. */
interface Waiting<T> {
  readonly value: T;
  readonly placed: PromiseWithResolvers<void>;
}

/**
 * Hands values from writers to one reader, in their order, at most `capacity` of
 * them waiting: a fast writer waits for a slow reader.
 */
export class BoundedQueue<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #values: T[] = [];
  readonly #waiting: Waiting<T>[] = [];
  /** Set once nothing more can be written. */
  #end: { error?: unknown } | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves once the value has its place. @throws what {@link fail} was called with, or Error after {@link end}. */
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

  #finish(end: { error?: unknown }): void {
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

function reasonOf(end: { error?: unknown }): unknown {
  return end.error ?? new Error("the stream has ended");
}

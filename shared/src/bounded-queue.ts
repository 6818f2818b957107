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

/** A bound for the sizes of the waiting values together. */
export interface SizeBound<T> {
  /** Largest sum of sizes. A single value may exceed it. */
  readonly maxSize: number;
  sizeOf(value: T): number;
}

/**
 * Passes values from writers to one reader in order. At most `capacity` of them wait, and no more than the bound of
 * their sizes allows; after that, a fast writer waits for a slow reader.
 */
export class BoundedQueue<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #bound: SizeBound<T> | undefined;
  #size = 0;
  readonly #values: T[] = [];
  readonly #waiting: Waiting<T>[] = [];
  /** Set when nothing more can be written. */
  #end: End | undefined;
  #changed = Promise.withResolvers<void>();

  /** @param bound Default: only the number of values counts. */
  constructor(capacity: number, bound?: SizeBound<T>) {
    this.#capacity = capacity;
    this.#bound = bound;
  }

  /**
   * Resolves once the value has its place.
   *
   * @throws the error that {@link fail} or {@link end} was called with.
   */
  async push(value: T): Promise<void> {
    if (this.#end) throw reasonOf(this.#end);
    if (this.#waiting.length === 0 && this.#hasRoomFor(value)) {
      this.#place(value);
      return;
    }
    const placed = Promise.withResolvers<void>();
    this.#waiting.push({ value, placed });
    await placed.promise;
  }

  /** Ends the queue. The reader gets the values that were written before, then the end. Later writers get the error. */
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
        this.#size -= this.#sizeOf(value);
        this.#placeWaiting();
        yield value;
      } else if (this.#end) {
        if ("error" in this.#end) throw this.#end.error;
        return;
      } else {
        await this.#changed.promise;
      }
    }
  }

  #sizeOf(value: T): number {
    return this.#bound?.sizeOf(value) ?? 0;
  }

  #hasRoomFor(value: T): boolean {
    if (this.#values.length === 0) return true;
    const isBelow = !this.#bound || this.#size + this.#sizeOf(value) <= this.#bound.maxSize;
    return isBelow && this.#values.length < this.#capacity;
  }

  #placeWaiting(): void {
    for (let next = this.#waiting[0]; next && this.#hasRoomFor(next.value); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#place(next.value);
      next.placed.resolve();
    }
  }

  #place(value: T): void {
    this.#values.push(value);
    this.#size += this.#sizeOf(value);
    this.#notify();
  }

  #finish(end: End): void {
    // Values that wait for a place at a normal end were written before it.
    if ("error" in end) for (const { placed } of this.#waiting.splice(0)) placed.reject(end.error);
    if (this.#end) return;
    this.#end = end;
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

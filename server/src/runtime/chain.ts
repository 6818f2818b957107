/** Place of a value in a chain. */
export interface Link<T> {
  readonly value: T;
  previous: Link<T> | undefined;
  next: Link<T> | undefined;
  isLinked: boolean;
}

/**
 * Values in the order in which they were added, for values that come and go with each call.
 *
 * A `Set` or `Map` allocates a new table every few changes, and each table refers to the next. Once the garbage
 * collector has moved one of them to its old generation, all later tables and their values stay in memory until the
 * next full collection, and are copied twice before that. A chain has no tables.
 */
export class Chain<T> implements Iterable<T> {
  #first: Link<T> | undefined;
  #last: Link<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a value to the end. */
  add(value: T): Link<T> {
    const link: Link<T> = { value, previous: this.#last, next: undefined, isLinked: true };
    if (this.#last) this.#last.next = link;
    else this.#first = link;
    this.#last = link;
    this.#size += 1;
    return link;
  }

  /** Removes a link, if it is there. Returns whether it was. */
  remove(link: Link<T> | undefined): boolean {
    if (!link?.isLinked) return false;
    const { previous, next } = link;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    link.previous = undefined;
    link.next = undefined;
    link.isLinked = false;
    this.#size -= 1;
    return true;
  }

  /** Iterates over the values. Meanwhile, only the value that was returned last may be removed. */
  *[Symbol.iterator](): Generator<T> {
    for (let link = this.#first; link; ) {
      const { value, next } = link;
      yield value;
      link = next;
    }
  }
}

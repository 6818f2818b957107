/** Connections with waiting items, each with its own queue. */
type Lane<C, T> = Map<C, T[]>;

/**
 * Queue in which connections take turns, however many items each has added. Light connections have a lane of their own,
 * and every second turn. A client that asks for little therefore waits only for few others, however many ask for much.
 */
export class FairLine<C extends object, T> {
  readonly #isHeavy: (connection: C) => boolean;
  /** In the order of their next turn. No queue in here is empty. */
  readonly #light: Lane<C, T> = new Map();
  readonly #heavy: Lane<C, T> = new Map();
  #isTurnOfHeavy = false;
  #length = 0;

  /**
   * @param isHeavy Returns whether a connection has much work in flight. The answer may change while the connection
   * waits.
   */
  constructor(isHeavy: (connection: C) => boolean) {
    this.#isHeavy = isHeavy;
  }

  /** Number of items of all connections. */
  get length(): number {
    return this.#length;
  }

  /** Number of waiting connections. */
  get connections(): number {
    return this.#light.size + this.#heavy.size;
  }

  /** Returns how many items a connection has in line. */
  lengthOf(connection: C): number {
    return (this.#light.get(connection) ?? this.#heavy.get(connection) ?? []).length;
  }

  push(connection: C, item: T): void {
    this.#length += 1;
    const queue = this.#light.get(connection) ?? this.#heavy.get(connection);
    if (queue) queue.push(item);
    else this.#laneOf(connection).set(connection, [item]);
  }

  /** Takes the next item. Its connection then goes to the end of the line. */
  shift(): T | undefined {
    this.#moveHeavy();
    const isHeavy = this.#light.size === 0 || (this.#isTurnOfHeavy && this.#heavy.size > 0);
    this.#isTurnOfHeavy = !isHeavy;
    const lane = isHeavy ? this.#heavy : this.#light;
    for (const [connection, queue] of lane) {
      lane.delete(connection);
      const item = queue.shift();
      this.#length -= 1;
      if (queue.length > 0) this.#laneOf(connection).set(connection, queue);
      return item;
    }
    return undefined;
  }

  /** Removes the latest item of a heavy connection that `isWanted` accepts, and returns it. */
  pop(isWanted: (item: T) => boolean): T | undefined {
    this.#moveHeavy();
    for (const [connection, queue] of this.#heavy) {
      const item = queue.at(-1);
      if (item === undefined || !isWanted(item)) return undefined;
      queue.pop();
      this.#length -= 1;
      // Move the connection to the end, so that the next item is taken from another.
      this.#heavy.delete(connection);
      if (queue.length > 0) this.#heavy.set(connection, queue);
      return item;
    }
    return undefined;
  }

  #laneOf(connection: C): Lane<C, T> {
    return this.#isHeavy(connection) ? this.#heavy : this.#light;
  }

  /** Moves connections that have become heavy away from the head of the light lane. */
  #moveHeavy(): void {
    for (const [connection, queue] of this.#light) {
      if (!this.#isHeavy(connection)) return;
      this.#light.delete(connection);
      this.#heavy.set(connection, queue);
    }
  }
}

/** Lets a fixed number of holders work at the same time. The others wait in line, and their owners take turns. */
export class Permits {
  #free: number;
  /** Waiters by owner, in the order of the owners' next turns. No owner's line is empty. */
  readonly #lines = new Map<unknown, Set<() => void>>();

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Resolves when it is the caller's turn; `release` must then be called once. Rejects with the signal's reason as soon
   * as the signal is aborted. The number of waiters has no bound here: each belongs to a call in flight, and those are
   * bounded.
   *
   * @param owner Owner of the request. However many requests one owner has in line, the others wait for one of them at
   * a time.
   */
  async acquire(signal?: AbortSignal, owner?: unknown): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const grant = () => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        const line = this.#lines.get(owner);
        line?.delete(grant);
        if (line?.size === 0) this.#lines.delete(owner);
        reject(signal?.reason);
      };
      const line = this.#lines.get(owner);
      if (line) line.add(grant);
      else this.#lines.set(owner, new Set([grant]));
      signal?.addEventListener("abort", leave, { once: true });
    });
  }

  release(): void {
    const next = this.#next();
    if (next) next();
    else this.#free += 1;
  }

  /** Takes the first waiter of the owner whose turn it is. That owner then goes to the end of the line. */
  #next(): (() => void) | undefined {
    for (const [owner, line] of this.#lines) {
      const [next] = line;
      if (next) line.delete(next);
      this.#lines.delete(owner);
      if (line.size > 0) this.#lines.set(owner, line);
      return next;
    }
    return undefined;
  }
}

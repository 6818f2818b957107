/** Lets so many do something at once; the others wait in line, those of one owner in turn with those of others. */
export class Permits {
  #free: number;
  /** By owner, in the order of their next turn; no line in here is empty. */
  readonly #lines = new Map<unknown, Set<() => void>>();

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Resolves when it is the caller's turn; then `release` has to be called, once.
   * Rejects with the signal's reason as soon as it is aborted. Nothing bounds how
   * many wait: each is a call under way, and those have a bound.
   *
   * @param owner Whose turn it is: however many of one owner wait, others wait for one of them at a time.
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

  /** Takes the first of the owner whose turn it is, who then has to let the others go first. */
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

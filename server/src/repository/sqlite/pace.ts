const MIN_SLICE_ROWS = 16;
const MAX_SLICE_ROWS = 8_192;
/**
 * Target duration of a slice, in milliseconds. After a shorter slice the next one grows; after one of twice the target
 * the next one shrinks.
 */
const SLICE_MS = 1;

/** Adapts the number of rows in a slice to the time that earlier slices took. */
export class Pace {
  #rows: number;

  /** @param rows Rows in the first slice. */
  constructor(rows: number) {
    this.#rows = rows;
  }

  run<T>(slice: (rows: number) => T): T {
    const startedAtMs = performance.now();
    const result = slice(this.#rows);
    const tookMs = performance.now() - startedAtMs;
    if (tookMs < SLICE_MS) this.#rows = Math.min(this.#rows * 2, MAX_SLICE_ROWS);
    else if (tookMs > 2 * SLICE_MS) this.#rows = Math.max(this.#rows >> 1, MIN_SLICE_ROWS);
    return result;
  }
}

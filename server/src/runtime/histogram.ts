/** Counts values by range, and keeps their sum. Recording a value allocates nothing. */
export class Histogram {
  /** Upper bounds of the ranges, ascending and inclusive; the last range has none. */
  readonly bounds: readonly number[];
  /** Number of values in each range: one more than there are bounds. */
  readonly counts: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
    this.counts = this.#counts;
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#count;
  }

  record(value: number): void {
    const { bounds } = this;
    let range = 0;
    while (range < bounds.length && value > (bounds[range] as number)) range += 1;
    this.#counts[range] = (this.#counts[range] as number) + 1;
    this.#sum += value;
    this.#count += 1;
  }
}

/** Summary of several rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Returns the median; for an even count, the mean of the two middle values. @throws Error when there are no values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new Error("there are no values");
  return (lower + upper) / 2;
}

/**
 * Returns the least value that `percent` of the values don't exceed (nearest rank).
 *
 * @throws Error when there are no values.
 */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  // Round first: in binary, 99.9 % of 1000 is a little more than 999.
  const rank = Math.max(1, Math.ceil(Number(((percent * sorted.length) / 100).toFixed(6))));
  const value = sorted[rank - 1];
  if (value === undefined) throw new Error("there are no values");
  return value;
}

/** Returns median, least and greatest value. @throws Error when there are no values. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** Divides one median by another; returns undefined without a limit to compare with. */
export function ratioOf(value: Spread | undefined, limit: Spread | undefined): number | undefined {
  if (value === undefined || limit === undefined || limit.median === 0) return undefined;
  return value.median / limit.median;
}

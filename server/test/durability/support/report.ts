/** Prints the figures of a long form, with a row for each database or kind of fault. */
export function report(title: string, rows: readonly Record<string, string | number>[]): void {
  console.info(title);
  console.table(rows);
}

/** Returns the number of rounds of a long form: `ROUNDS` of the environment, or the usual number. */
export function roundsOf(usual: number): number {
  return Number(process.env.ROUNDS ?? usual);
}

/**
 * Returns the seed of a run's random choices: `SEED` of the environment, or another one each time. Failures print it.
 */
export function seedOf(): number {
  return Number(process.env.SEED ?? Date.now() % 1_000_000);
}

/** Returns the figures of an outcome: lists by their length, times in whole milliseconds. */
export function figuresOf(outcome: object): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(outcome).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.length : typeof value === "number" ? Math.round(value) : String(value),
    ]),
  );
}

/**
 * Runs a function for each item, a given number of them at a time. After an error it takes no further items, and throws
 * the error once the running ones have ended.
 */
export async function inParallel<T>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  run: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const errors: unknown[] = [];
  for await (const item of items) {
    const done: Promise<void> = run(item)
      .catch((error: unknown) => void errors.push(error))
      .finally(() => running.delete(done));
    running.add(done);
    if (running.size >= limit) await Promise.race(running);
    if (errors.length > 0) break;
  }
  await Promise.all(running);
  if (errors.length > 0) throw errors[0];
}

/** Yields the items: what Connect's clients need of its module of the same name. */
export async function* createAsyncIterable<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items;
}

/** Yields the items. Replaces Connect's module of the same name, of which its clients need only this. */
export async function* createAsyncIterable<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items;
}

/**
 * Returns the same messages. An error thrown while they are read is replaced by the result of `map`; an error of the
 * consumer passes unchanged.
 */
export function mapErrors<T>(messages: AsyncIterable<T>, map: (error: unknown) => unknown): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      return {
        next: () =>
          iterator.next().catch((error: unknown) => {
            throw map(error);
          }),
        async return(value) {
          return (await iterator.return?.(value)) ?? { done: true, value };
        },
        async throw(error) {
          await iterator.return?.();
          throw error;
        },
      };
    },
  };
}

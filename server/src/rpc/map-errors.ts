/**
 * The same messages; an error that reading them throws is replaced by what `map` makes of
 * it. An error of the consumer passes as it is.
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

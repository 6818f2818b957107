/** Reads a stream without `for await` on it, since not every browser can iterate over a stream. */
export function readStream(stream: ReadableStream<Uint8Array>): AsyncIterableIterator<Uint8Array> {
  const reader = stream.getReader();
  return {
    async next() {
      const result = await reader.read();
      return result.done ? { done: true, value: undefined } : result;
    },
    async return() {
      await reader.cancel();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Messages that go out one by one, as a call's request stream. */
export interface Outbox<T> extends AsyncIterable<T> {
  readonly closed: boolean;
  push(message: T): void;
  /** There will be no more: half-closes the call. */
  close(): void;
}

export function createOutbox<T>(): Outbox<T> {
  const waiting: T[] = [];
  let closed = false;
  let wake: () => void = () => {};
  async function* drain(): AsyncGenerator<T> {
    for (;;) {
      yield* waiting.splice(0);
      if (waiting.length > 0) continue;
      if (closed) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  const messages = drain();
  return {
    get closed() {
      return closed;
    },
    push(message) {
      waiting.push(message);
      wake();
    },
    close() {
      closed = true;
      wake();
    },
    [Symbol.asyncIterator]: () => messages,
  };
}

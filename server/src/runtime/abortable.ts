/** Rejects with the signal's reason as soon as it is aborted; otherwise settles like the promise. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/**
 * Returns the same messages until the signal is aborted. Then the consumer gets its reason at once, even if the
 * producer ignores the signal. `onEnd` runs once, however the messages end.
 */
export function abortableEach<T>(
  messages: AsyncIterable<T>,
  signal: AbortSignal,
  onEnd?: () => void,
): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      // Use one listener for the whole stream: one for each message would cost as much as the message.
      let rejectPending: (reason: unknown) => void = () => {};
      let ended = false;
      const end = () => {
        if (ended) return;
        ended = true;
        signal.removeEventListener("abort", abort);
        onEnd?.();
      };
      const abort = () => {
        end();
        // Not awaited: a producer that ignores the signal may never answer.
        iterator.return?.().catch(() => {});
        rejectPending(signal.reason);
      };
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort);
      return {
        next() {
          return new Promise((resolve, reject) => {
            if (signal.aborted) return reject(signal.reason);
            rejectPending = reject;
            iterator.next().then(
              (result) => {
                if (result.done) end();
                resolve(result);
              },
              (error: unknown) => {
                end();
                reject(error);
              },
            );
          });
        },
        async return(value) {
          end();
          iterator.return?.().catch(() => {});
          return { done: true, value };
        },
      };
    },
  };
}

/**
 * How a stream ended: after its last message; with an error of its source, its reader or its signal; or early, because
 * its reader left.
 */
export type StreamEnd =
  | { readonly how: "complete" }
  | { readonly how: "failed"; readonly error: unknown }
  | { readonly how: "left" };

/** Hooks for a stream while it is read. `onEnd` must not throw. */
export interface StreamWatch<T> {
  /** Reads the next result by calling `next`. Default: only calls it. */
  read?: ((next: () => Promise<IteratorResult<T>>) => Promise<IteratorResult<T>>) | undefined;
  /**
   * Called with each message before the reader gets it. An error that it throws ends the stream, like an error of the
   * source.
   */
  onMessage?: ((message: T) => void) | undefined;
  /** Returns the error that the reader gets instead of the source's. The signal's reason is not mapped. */
  mapError?: ((error: unknown) => unknown) | undefined;
  /** Called once. */
  onEnd?: ((end: StreamEnd) => void) | undefined;
  /** Ends the stream when aborted: the reader gets the reason immediately, even if the source ignores the signal. */
  signal?: AbortSignal | undefined;
}

/**
 * Returns the same messages, watched. Only the reader pulls them.
 *
 * - `return`, when the reader leaves, returns the source. Without a signal it waits for the source; with one it does
 *   not, since a source that ignores its signal may never answer.
 * - `throw` does the same and rejects with the reader's error, which is not mapped.
 */
export function watchStream<T>(messages: AsyncIterable<T>, watch: StreamWatch<T>): AsyncIterable<T> {
  const { onMessage, mapError = (error) => error, onEnd, signal } = watch;
  const readNext = watch.read ?? ((next) => next());
  return {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      const next = () => iterator.next();
      let rejectPending: (reason: unknown) => void = () => {};
      let ended = false;
      const end = (how: StreamEnd) => {
        if (ended) return;
        ended = true;
        signal?.removeEventListener("abort", abort);
        onEnd?.(how);
      };
      const leave = async (value?: unknown) => {
        const leaving = iterator.return?.(value);
        if (!signal) return leaving;
        leaving?.catch(() => {});
        return undefined;
      };
      const abort = () => {
        end({ how: "failed", error: signal?.reason });
        void leave();
        rejectPending(signal?.reason);
      };
      // Use one listener for the whole stream: one for each message would cost as much as the message.
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort);
      const read = (): Promise<IteratorResult<T>> => {
        if (!signal) return readNext(next);
        return new Promise((resolve, reject) => {
          if (signal.aborted) return reject(signal.reason);
          rejectPending = reject;
          readNext(next).then(resolve, reject);
        });
      };
      return {
        async next() {
          try {
            const result = await read();
            if (result.done) end({ how: "complete" });
            else onMessage?.(result.value);
            return result;
          } catch (reason) {
            const error = signal?.aborted ? reason : mapError(reason);
            end({ how: "failed", error });
            // If a hook has failed, and not the source, the source has to clean up.
            leave().catch(() => {});
            throw error;
          }
        },
        async return(value) {
          end({ how: "left" });
          return (await leave(value)) ?? { done: true, value };
        },
        async throw(error) {
          end({ how: "failed", error });
          await leave();
          throw error;
        },
      };
    },
  };
}

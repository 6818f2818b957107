/** Time for which a removal can be undone, in milliseconds. */
const UNDO_MS = 8_000;

export interface TimeToUndo {
  /** Resolves when the time is over; rejects if it was undone. */
  readonly over: Promise<void>;
  /** Ends the time. */
  end(): void;
  undo(): void;
}

/**
 * Gives a person time to undo something. A person who closes the page meanwhile is asked first, since it would not be
 * done.
 */
export function startTimeToUndo(): TimeToUndo {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const ask = (event: Event) => event.preventDefault();
  addEventListener("beforeunload", ask);
  const timer = setTimeout(resolve, UNDO_MS);
  const over = promise.finally(() => {
    clearTimeout(timer);
    removeEventListener("beforeunload", ask);
  });
  return { over, end: resolve, undo: () => reject(new Error("it was undone")) };
}

import { toRollcallError } from "../errors.ts";

/**
 * Resolves with the value that `read` returns for the answer. Rejects with the domain error that the call's error
 * stands for.
 */
export function domainErrors<T, R = T>(call: Promise<T>, read?: (answer: T) => R): Promise<R> {
  return call.then(read as (answer: T) => R, throwDomainError);
}

/**
 * Yields the messages of a stream. Throws the domain error that the stream's error stands for.
 *
 * @param call Aborted when the stream fails or its reader leaves: a generator alone would wait for a message first.
 */
export function withDomainErrors<T>(messages: AsyncIterable<T>, call?: AbortController): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => mapErrors(messages[Symbol.asyncIterator](), call) };
}

/** Creates one more promise for each message; a generator would create several. */
function mapErrors<T>(messages: AsyncIterator<T>, call?: AbortController): AsyncIterator<T> {
  return {
    next: () =>
      messages.next().then(undefined, (error: unknown) => {
        call?.abort();
        return throwDomainError(error);
      }),
    async return(value) {
      call?.abort();
      return (await messages.return?.(value)) ?? { done: true, value };
    },
  };
}

function throwDomainError(error: unknown): never {
  throw toRollcallError(error);
}

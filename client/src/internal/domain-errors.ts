import { toRollcallError } from "../errors.ts";

/**
 * Resolves with the value that `read` returns for the answer. Rejects with the domain error that the call's error
 * stands for.
 */
export function domainErrors<T, R = T>(call: Promise<T>, read?: (answer: T) => R): Promise<R> {
  return call.then(read as (answer: T) => R, throwDomainError);
}

/** Yields the messages of a stream. Throws the domain error that the stream's error stands for. */
export function withDomainErrors<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => mapErrors(messages[Symbol.asyncIterator]()) };
}

/** Creates one more promise for each message; a generator would create several. */
function mapErrors<T>(messages: AsyncIterator<T>): AsyncIterator<T> {
  return {
    next: () => messages.next().then(undefined, throwDomainError),
    return: async (value) => (await messages.return?.(value)) ?? { done: true, value },
  };
}

function throwDomainError(error: unknown): never {
  throw toRollcallError(error);
}

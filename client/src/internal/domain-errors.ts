import { toRollcallError } from "../errors.ts";

/** Resolves with what is read from a call's answer, and rejects with the domain error that its error stands for. */
export function domainErrors<T, R = T>(call: Promise<T>, read?: (answer: T) => R): Promise<R> {
  return call.then(read as (answer: T) => R, throwDomainError);
}

/** Yields the messages of a stream, and throws the domain error that its error stands for. */
export function withDomainErrors<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => mapErrors(messages[Symbol.asyncIterator]()) };
}

/** Adds one promise to each message, where a generator would add several. */
function mapErrors<T>(messages: AsyncIterator<T>): AsyncIterator<T> {
  return {
    next: () => messages.next().then(undefined, throwDomainError),
    return: async (value) => (await messages.return?.(value)) ?? { done: true, value },
  };
}

function throwDomainError(error: unknown): never {
  throw toRollcallError(error);
}

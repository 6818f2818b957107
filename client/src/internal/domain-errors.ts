import { toRollcallError } from "../errors.ts";

/** Resolves as the call does, and rejects with the domain error that its error stands for. */
export async function domainErrors<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw toRollcallError(error);
  }
}

/** Yields the messages of a stream, and throws the domain error that its error stands for. */
export async function* withDomainErrors<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw toRollcallError(error);
  }
}

/**
 * Cause of an error whose request no server has acted on: nobody could be reached,
 * or the server said that it would not process it. To repeat it is always safe.
 */
export class RequestNotSentError extends Error {
  override name = "RequestNotSentError";
  /** Whether the same request can succeed a little later: false for a certificate that is not trusted. */
  readonly isTransient: boolean;
  constructor(message: string, { isTransient = true, ...options }: ErrorOptions & { isTransient?: boolean } = {}) {
    super(message, options);
    this.isTransient = isTransient;
  }
}

/** The {@link RequestNotSentError} among an error and its causes. */
export function findNotSent(error: unknown): RequestNotSentError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof RequestNotSentError) return cause;
  }
  return undefined;
}

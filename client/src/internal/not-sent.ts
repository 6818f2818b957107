import { ConnectError } from "@connectrpc/connect";

/**
 * Time for which a call without a deadline keeps trying to reach a server, in milliseconds. connect-node lets a
 * connection take as long.
 */
export const WAIT_WITHOUT_DEADLINE_MS = 20_000;

/**
 * Cause of an error for a request that no server has acted on: no server could be reached, or the server announced that
 * it would not process it. Repeating it is always safe.
 */
export class RequestNotSentError extends Error {
  override name = "RequestNotSentError";
  /**
   * Whether the client may keep trying by itself. False for a TLS fault, and for a call that has waited for a
   * connection for as long as it may.
   */
  readonly isTransient: boolean;
  constructor(message: string, { isTransient = true, ...options }: ErrorOptions & { isTransient?: boolean } = {}) {
    super(message, options);
    this.isTransient = isTransient;
  }
}

/** Returns the {@link RequestNotSentError} among an error and its causes. */
export function findNotSent(error: unknown): RequestNotSentError | undefined {
  return findCause(error, RequestNotSentError);
}

/** Returns the error without its causes, for a call that may have been sent in an earlier attempt. */
export function withoutCause({ rawMessage, code, metadata }: ConnectError): ConnectError {
  return new ConnectError(rawMessage, code, metadata);
}

/** Cause of the errors of all calls that were lost together. It is one event, however many calls it ends. */
export class ConnectionLostError extends Error {
  override name = "ConnectionLostError";
  /**
   * Whether the calls can be repeated immediately: the server answered others before the loss, or the pool limits the
   * first calls of a new connection.
   */
  readonly isPaced: boolean;
  constructor(message: string, { isPaced }: { isPaced: boolean }) {
    super(message);
    this.isPaced = isPaced;
  }
}

/** Returns the {@link ConnectionLostError} among an error and its causes. */
export function findConnectionLost(error: unknown): ConnectionLostError | undefined {
  return findCause(error, ConnectionLostError);
}

/** Returns the error of a type among an error and its causes. */
export function findCause<T extends Error>(error: unknown, type: new (...args: never[]) => T): T | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof type) return cause;
  }
  return undefined;
}

import { ConnectError } from "@connectrpc/connect";

/**
 * How long a call without a deadline goes on trying to reach a server, in milliseconds;
 * as long as connect-node lets a connection take.
 */
export const WAIT_WITHOUT_DEADLINE_MS = 20_000;

/**
 * Cause of an error whose request no server has acted on: nobody could be reached,
 * or the server said that it would not process it. To repeat it is always safe.
 */
export class RequestNotSentError extends Error {
  override name = "RequestNotSentError";
  /**
   * Whether the client may go on trying by itself: false for a fault of TLS, and for a call that has waited for a connection as long as it may.
   */
  readonly isTransient: boolean;
  constructor(message: string, { isTransient = true, ...options }: ErrorOptions & { isTransient?: boolean } = {}) {
    super(message, options);
    this.isTransient = isTransient;
  }
}

/** The {@link RequestNotSentError} among an error and its causes. */
export function findNotSent(error: unknown): RequestNotSentError | undefined {
  return findCause(error, RequestNotSentError);
}

/** The same error without its causes: for a call that an earlier attempt may have sent. */
export function withoutCause({ rawMessage, code, metadata }: ConnectError): ConnectError {
  return new ConnectError(rawMessage, code, metadata);
}

/** Cause of the errors of all calls that were lost together: one event, however many calls it ends. */
export class ConnectionLostError extends Error {
  override name = "ConnectionLostError";
  /**
   * Whether the calls can be made again at once: the server answered others before the
   * loss, or whoever makes connections bounds what a new one takes at first.
   */
  readonly isPaced: boolean;
  constructor(message: string, { isPaced }: { isPaced: boolean }) {
    super(message);
    this.isPaced = isPaced;
  }
}

/** The {@link ConnectionLostError} among an error and its causes. */
export function findConnectionLost(error: unknown): ConnectionLostError | undefined {
  return findCause(error, ConnectionLostError);
}

/** The error of a type among an error and its causes. */
export function findCause<T extends Error>(error: unknown, type: new (...args: never[]) => T): T | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof type) return cause;
  }
  return undefined;
}

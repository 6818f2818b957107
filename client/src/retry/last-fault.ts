import { Code, ConnectError, type ContextValues, createContextKey } from "@connectrpc/connect";

/** Error of a call's last attempt, noted by the retry interceptor for {@link explainDeadline}. */
export const lastFaultKey = createContextKey<ConnectError | undefined>(undefined, {
  description: "what the last attempt failed with",
});

/** Time that a call has taken before its interceptors saw it, in milliseconds. */
export const spentMsKey = createContextKey(0, { description: "time before the interceptors" });

/**
 * Adds to a deadline's error what the call was waiting for. Connect ends a call at its deadline with an error of its
 * own, whatever error an interceptor throws.
 */
export function explainDeadline(reason: unknown, values: ContextValues): ConnectError {
  const error = ConnectError.from(reason);
  const fault = values.get(lastFaultKey);
  if (!fault || error.code !== Code.DeadlineExceeded || error.isWireError) return error;
  const text = fault.code === Code.DeadlineExceeded ? fault.rawMessage : `${error.rawMessage}: ${fault.rawMessage}`;
  return new ConnectError(text, Code.DeadlineExceeded, error.metadata, undefined, fault);
}

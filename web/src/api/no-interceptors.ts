/**
 * Replaces interceptors, and what they need, for options that this app's client does not use: its token and its record
 * of calls come from interceptors of its own. Each page loads less without them.
 */
export const authenticate = refuse;
export const TokenSource = refuse;
export const createLoggingInterceptor = refuse;
export const createTracingInterceptor = refuse;

function refuse(): never {
  throw new Error("this app's client has no token, logger or trace of its own");
}

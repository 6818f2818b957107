/** Interceptors of the client that this app never has: it sends its own token, and takes no log and no traces. */
export const createAuthInterceptor = refuse;
export const createLoggingInterceptor = refuse;
export const createTracingInterceptor = refuse;

function refuse(): never {
  throw new Error("this app has left out this interceptor");
}

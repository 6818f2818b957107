/** The trace that a call is part of. */
export interface CallTrace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** Runs work of the call; calls and queries that begin within it become part of the trace. */
  run<T>(work: () => T): T;
}

/** Headers of a request. */
export interface RequestHeaders {
  /** Returns the value of a header. `name` is in lower case. */
  header(name: string): string | undefined;
}

/** Facts about a call that begins. */
export interface BeginningCall {
  /** Full name, such as `user.v1.UserService/GetUser`. */
  readonly method: string;
  /** Start of the call; monotonic, in milliseconds. */
  readonly startedAtMs: number;
}

/** Opens the trace of a call that begins. Returns undefined if the call is part of none. */
export type TraceCall = (call: BeginningCall, headers: RequestHeaders) => CallTrace | undefined;

import type { Interceptor } from "@connectrpc/connect";
import { createAuthInterceptor, type GetToken } from "./interceptors/auth.ts";
import { createLoggingInterceptor } from "./interceptors/logging.ts";
import { createRequestIdInterceptor } from "./interceptors/request-id.ts";
import { createRetryInterceptor } from "./interceptors/retry.ts";
import { createTracingInterceptor, type TraceHook } from "./interceptors/tracing.ts";
import { callHook } from "./internal/call-hook.ts";
import type { Logger } from "./internal/logger.ts";
import type { RetryEvent, RetryOptions } from "./retry/policy.ts";

export const DEFAULT_TIMEOUT_MS = 5_000;

/** Options of clients in browsers and in Node. */
export interface CommonOptions {
  /** Bearer token to send; none if neither this nor getToken is given. */
  token?: string | undefined;
  /** Called for a token before each call; see {@link GetToken}. */
  getToken?: GetToken | undefined;
  /** Deadline of a unary call that sets none, retries included, in milliseconds. Default 5 s. */
  timeoutMs?: number | undefined;
  /** How failed calls are repeated. With false none is, though a call still waits for a connection. */
  retry?: RetryOptions | false | undefined;
  /** Logs one line for each call, and one for each retry. Default: none. */
  logger?: Logger | undefined;
  /** Called at the beginning and end of each call. */
  trace?: TraceHook | undefined;
  /** Further interceptors, inside of all others: they see each attempt with its token. */
  interceptors?: readonly Interceptor[] | undefined;
}

/**
 * Creates the interceptors of a client, outermost first: tracing, request id, logging (once a call), then retry, then
 * authentication (for each attempt).
 */
export function createInterceptors(options: CommonOptions): Interceptor[] {
  const { token, getToken, retry = {}, logger, trace, interceptors = [] } = options;
  const auth = getToken ?? token;
  return [
    ...(trace ? [createTracingInterceptor(trace)] : []),
    createRequestIdInterceptor(),
    ...(logger ? [createLoggingInterceptor({ logger })] : []),
    createRetryInterceptor(retry ? { ...retry, onRetry: tellOfRetry(retry, logger) } : { maxAttempts: 1 }),
    ...(auth === undefined ? [] : [createAuthInterceptor({ token: auth })]),
    ...interceptors,
  ];
}

function tellOfRetry({ onRetry }: RetryOptions, logger: Logger | undefined): (event: RetryEvent) => void {
  return (event) => {
    callHook(() => onRetry?.(event));
    const { method, attempt, delayMs, error } = event;
    logger?.warn({ method, attempt, delayMs: Math.round(delayMs), error: error.message }, "retry");
  };
}

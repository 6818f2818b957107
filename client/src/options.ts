import type { Interceptor } from "@connectrpc/connect";
import { authenticate } from "./interceptors/auth.ts";
import { createLoggingInterceptor } from "./interceptors/logging.ts";
import { createRequestIdInterceptor } from "./interceptors/request-id.ts";
import { retryWithin } from "./interceptors/retry.ts";
import { createTracingInterceptor, type TraceHook } from "./interceptors/tracing.ts";
import { callHook } from "./internal/call-hook.ts";
import { checkOptions, type Rules } from "./internal/check-options.ts";
import type { Logger } from "./internal/logger.ts";
import { type GetToken, TokenSource } from "./internal/token-source.ts";
import { checkRetry, RetryBudget, type RetryEvent, type RetryOptions } from "./retry/policy.ts";

export const DEFAULT_TIMEOUT_MS = 5_000;

/** Options of clients in browsers and in Node. */
export interface CommonOptions {
  /** Bearer token to send; none if neither this nor getToken is given. If both are, only getToken counts. */
  token?: string | undefined;
  /** Called for a token before each call; see {@link GetToken}. */
  getToken?: GetToken | undefined;
  /** Deadline of a unary call that sets none, retries included, in milliseconds. 0: none. Default 5 s. */
  timeoutMs?: number | undefined;
  /** How failed calls are repeated. With false they are not, but a call still waits for a connection. */
  retry?: RetryOptions | false | undefined;
  /** Logs one line for each call, and one for each retry. Default: none. */
  logger?: Logger | undefined;
  /** Called at the beginning and end of each call. */
  trace?: TraceHook | undefined;
  /** Further interceptors, inside of all others: they see each attempt, with its token. */
  interceptors?: readonly Interceptor[] | undefined;
}

const rules: Rules<CommonOptions> = {
  token: "string",
  getToken: "function",
  timeoutMs: 0,
  retry: (value) => value !== false && Object(value) !== value && "an object or false",
  trace: "function",
};

/** Steps that a client adds to each call. */
export interface CallChain {
  readonly interceptors: Interceptor[];
  /** Tokens that the interceptors send; undefined if they send none. */
  readonly tokens: TokenSource | undefined;
  /** Budget of retries. */
  readonly budget: RetryBudget;
  /** Aborted when the client is closed. Then no call waits for its next attempt. */
  readonly closing: AbortController;
}

/**
 * Creates the steps of each call of a client. Its interceptors, outermost first: tracing, request id, logging (once a
 * call), then retry, then authentication (for each attempt).
 *
 * @throws TypeError for options that are not as their types say.
 */
export function createCallChain(options: CommonOptions): CallChain {
  const { token, getToken, retry = {}, logger, trace, interceptors = [] } = options;
  checkOptions(options, rules);
  if (retry) checkRetry(retry, "retry.");
  const auth = getToken ?? token;
  const tokens = auth === undefined ? undefined : new TokenSource(auth);
  const retries = retry ? { ...retry, onRetry: tellOfRetry(retry, logger) } : { maxAttempts: 1 };
  const budget = new RetryBudget(retry ? retry.budget : undefined);
  const closing = new AbortController();
  return {
    tokens,
    budget,
    closing,
    interceptors: [
      ...(trace ? [createTracingInterceptor(trace)] : []),
      createRequestIdInterceptor(),
      ...(logger ? [createLoggingInterceptor({ logger })] : []),
      retryWithin(budget, retries, closing.signal),
      ...(tokens ? [authenticate(tokens)] : []),
      ...interceptors,
    ],
  };
}

function tellOfRetry({ onRetry }: RetryOptions, logger: Logger | undefined): (event: RetryEvent) => void {
  return (event) => {
    callHook(() => onRetry?.(event));
    const { method, attempt, delayMs, error } = event;
    logger?.warn({ method, attempt, delayMs: Math.round(delayMs), error: error.message }, "retry");
  };
}

import { Code, type ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { checkOptions, type Rules } from "../internal/check-options.ts";
import { findConnectionLost, findNotSent } from "../internal/not-sent.ts";

/** A failed attempt that is about to be repeated. */
export interface RetryEvent {
  /** Full name, such as `user.v1.UserService/GetUser`. */
  readonly method: string;
  /** 1 for the first attempt. Attempts that do not count towards maxAttempts count here too. */
  readonly attempt: number;
  /** Wait before the next attempt, in milliseconds. */
  readonly delayMs: number;
  readonly error: ConnectError;
}

export interface RetryOptions {
  /**
   * Most attempts that may fail on a server, including the first; 1 switches retries off. Calls that were certainly not
   * sent, and those that were lost with their connection, do not count: they are repeated until the deadline. Default
   * 4.
   */
  maxAttempts?: number | undefined;
  /**
   * Wait after a failed attempt:
   *
   * - "exponential" (default): a random time below initialDelayMs · 2^(attempt-1) ("full jitter"), so that clients do
   *   not all come back at the same time.
   * - "linear": attempt · initialDelayMs.
   * - A function of the attempt, which counts from 1, that returns milliseconds. NaN and less than 0 count as 0.
   */
  backoff?: "exponential" | "linear" | ((attempt: number) => number) | undefined;
  /** Default 100 ms. */
  initialDelayMs?: number | undefined;
  /** Longest wait by the backoff, in milliseconds. A wait that the server asks for is added to it. Default 5 s. */
  maxDelayMs?: number | undefined;
  /** Longest time for one attempt, in milliseconds, within the deadline of the call. Default: only that deadline. */
  attemptTimeoutMs?: number | undefined;
  /** Default: {@link RetryBudgetOptions}' own. */
  budget?: RetryBudgetOptions | undefined;
  /** Called for each retry before its wait. Errors that it throws are dropped. */
  onRetry?: ((event: RetryEvent) => void) | undefined;
}

/**
 * Stops retries while too many calls fail, like gRPC's retryThrottling, so that a server in trouble gets no extra load.
 */
export interface RetryBudgetOptions {
  /**
   * Number of tokens when full. Each failed attempt takes one; with half of them or fewer left, nothing is retried.
   * Requests that were certainly not sent take none. Calls that are lost with a connection take none either, since the
   * pool gives new connections few calls until some are answered. Over HTTP/1.1, and with a pool whose calls do not wait,
   * successive losses without a complete answer in between take one for all their calls. Default 10.
   */
  maxTokens?: number | undefined;
  /** Tokens that each success returns. Default 0.1. */
  tokenRatio?: number | undefined;
}

/** Longest wait that a server can ask for, in milliseconds. */
const MAX_PUSHBACK_MS = 3_600_000;

const rules: Rules<RetryOptions> = {
  maxAttempts: 1,
  backoff: (value) =>
    value !== "exponential" &&
    value !== "linear" &&
    typeof value !== "function" &&
    '"exponential", "linear" or a function',
  initialDelayMs: 0,
  maxDelayMs: 0,
  attemptTimeoutMs: 1,
  onRetry: "function",
};

const budgetRules: Rules<RetryBudgetOptions> = { maxTokens: 1, tokenRatio: 0 };

/**
 * @param prefix Beginning of the options' names in errors.
 * @throws TypeError for options that are not as their types say.
 */
export function checkRetry(options: RetryOptions, prefix = ""): void {
  checkOptions(options, rules, prefix);
  checkOptions(options.budget ?? {}, budgetRules, `${prefix}budget.`);
}

export class RetryBudget {
  readonly #maxTokens: number;
  readonly #tokenRatio: number;
  #tokens: number;
  readonly #charged = new WeakSet<Error>();

  constructor({ maxTokens = 10, tokenRatio = 0.1 }: RetryBudgetOptions = {}) {
    this.#maxTokens = maxTokens;
    this.#tokenRatio = tokenRatio;
    this.#tokens = maxTokens;
  }

  get allowsRetry(): boolean {
    return this.#tokens > this.#maxTokens / 2;
  }

  succeeded(): void {
    this.#tokens = Math.min(this.#maxTokens, this.#tokens + this.#tokenRatio);
  }

  /** @param error Error of an attempt that may have reached a server. */
  failed(error: ConnectError): void {
    const lost = findConnectionLost(error);
    if (lost && (lost.isPaced || this.#charged.has(lost))) return;
    if (lost) this.#charged.add(lost);
    this.#tokens = Math.max(0, this.#tokens - 1);
  }
}

/**
 * Returns whether the same call can succeed later. It does not mean that repeating the call is safe. An exhausted
 * resource is available again if the server says when, as for a rate limit; a message that is too large stays too
 * large.
 */
export function isTransient(error: ConnectError): boolean {
  const askedMs = pushbackMs(error);
  if (askedMs === Infinity) return false;
  switch (error.code) {
    case Code.Unavailable:
      return findNotSent(error)?.isTransient ?? true;
    case Code.ResourceExhausted:
      return askedMs !== undefined;
    case Code.DeadlineExceeded:
      return true;
    default:
      return false;
  }
}

/** Returns whether the server has said that the call must not be repeated. */
export function forbidsRetry(error: ConnectError): boolean {
  return pushbackMs(error) === Infinity;
}

/**
 * Returns the wait after this error, in milliseconds, by the backoff. If the server asks for a wait, it is at least as
 * long, but not longer than an hour for that. A random part of the backoff is added: calls that the server refused
 * together should not come back together.
 */
export function delayAfter(error: ConnectError, attempt: number, options: RetryOptions): number {
  const askedMs = pushbackMs(error);
  const delayMs = backoffMs(attempt, options);
  return askedMs === undefined ? delayMs : Math.min(askedMs, MAX_PUSHBACK_MS) + Math.random() * delayMs;
}

/**
 * Returns the wait that the server asks for, in milliseconds; Infinity if it forbids a retry. Reads
 * google.rpc.RetryInfo, gRPC's `grpc-retry-pushback-ms` (gRFC A6: anything but a number of 0 or more forbids a retry),
 * and HTTP's Retry-After (RFC 9110, 10.2.3: seconds, or a date).
 */
function pushbackMs(error: ConnectError): number | undefined {
  const [info] = error.findDetails(RetryInfoSchema);
  if (info?.retryDelay) return Math.max(0, Number(info.retryDelay.seconds) * 1_000 + info.retryDelay.nanos / 1e6);
  const pushback = error.metadata.get("grpc-retry-pushback-ms");
  if (pushback !== null) return /^\d{1,10}$/.test(pushback) ? Number(pushback) : Infinity;
  const retryAfter = error.metadata.get("retry-after");
  if (retryAfter === null) return undefined;
  const ms = /^\d{1,10}$/.test(retryAfter) ? Number(retryAfter) * 1_000 : Date.parse(retryAfter) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function backoffMs(attempt: number, options: RetryOptions): number {
  const { backoff = "exponential", initialDelayMs = 100, maxDelayMs = 5_000 } = options;
  if (typeof backoff === "function") return Math.max(0, backoff(attempt) || 0);
  if (backoff === "linear") return Math.min(maxDelayMs, attempt * initialDelayMs);
  return Math.random() * Math.min(maxDelayMs, initialDelayMs * 2 ** (attempt - 1));
}

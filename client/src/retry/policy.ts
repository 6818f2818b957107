import { Code, type ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { findConnectionLost, findNotSent } from "../internal/not-sent.ts";

/** A failed attempt that is about to be repeated. */
export interface RetryEvent {
  /** As `user.v1.UserService/GetUser`. */
  readonly method: string;
  /** 1 for the first attempt. Those that maxAttempts leaves out count here too. */
  readonly attempt: number;
  /** How long it waits now, in milliseconds. */
  readonly delayMs: number;
  readonly error: ConnectError;
}

export interface RetryOptions {
  /**
   * Attempts that a server may have failed, the first one included; 1 switches retries off.
   * What was certainly not sent, and what was lost with its connection, is not counted: it
   * is repeated until the deadline. Default 4.
   */
  maxAttempts?: number | undefined;
  /**
   * How long to wait after a failed attempt. "exponential" (default): a random time
   * below initialDelayMs · 2^(attempt-1) ("full jitter"), so that clients do not come
   * back all at once. "linear": attempt · initialDelayMs. Or a function of the
   * attempt, which counts from 1, in milliseconds.
   */
  backoff?: "exponential" | "linear" | ((attempt: number) => number) | undefined;
  /** Default 100 ms. */
  initialDelayMs?: number | undefined;
  /** Longest wait, in milliseconds; what the server asks for comes on top. Default 5 s. */
  maxDelayMs?: number | undefined;
  /**
   * Longest time for one attempt, in milliseconds, within the deadline of the call.
   * Default: the deadline alone.
   */
  attemptTimeoutMs?: number | undefined;
  /** Default: {@link RetryBudgetOptions}' own. */
  budget?: RetryBudgetOptions | undefined;
  /** Called for each retry before its wait; what it throws is dropped. */
  onRetry?: ((event: RetryEvent) => void) | undefined;
}

/** Retries stop when too many calls fail, as gRPC's retryThrottling does: a server in trouble gets no extra load. */
export interface RetryBudgetOptions {
  /**
   * Each failed attempt takes one token; with half of them or fewer left, nothing is
   * retried. What was certainly not sent takes none, nor do calls that are lost with a
   * connection: the pool gives new connections few calls until some are answered. Over
   * HTTP/1.1, losses without any answer in between take one for all their calls. Default 10.
   */
  maxTokens?: number | undefined;
  /** Tokens that each success gives back. Default 0.1. */
  tokenRatio?: number | undefined;
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

  /** @param error Of an attempt that may have reached a server. */
  failed(error: ConnectError): void {
    const lost = findConnectionLost(error);
    if (lost && (lost.isPaced || this.#charged.has(lost))) return;
    if (lost) this.#charged.add(lost);
    this.#tokens = Math.max(0, this.#tokens - 1);
  }
}

/**
 * Whether the same call can succeed later; says nothing about whether repeating it is
 * safe. What is exhausted comes back where the server says when, as a rate limit does; a
 * message that is too large stays so.
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

/**
 * How long to wait after this error, in milliseconds: by the backoff. Where the server says
 * how long, then at least so long, and a random part of the backoff on top: the calls that
 * it sent away together do not come back together.
 */
export function delayAfter(error: ConnectError, attempt: number, options: RetryOptions): number {
  const askedMs = pushbackMs(error);
  const delayMs = backoffMs(attempt, options);
  return askedMs === undefined ? delayMs : askedMs + Math.random() * delayMs;
}

/**
 * How long the server asks to wait, in milliseconds; Infinity where it asks for no retry.
 * google.rpc.RetryInfo, gRPC's `grpc-retry-pushback-ms` (gRFC A6: anything but a number from
 * 0 on forbids a retry), HTTP's Retry-After (RFC 9110, 10.2.3: seconds, or a date).
 */
function pushbackMs(error: ConnectError): number | undefined {
  const [info] = error.findDetails(RetryInfoSchema);
  if (info?.retryDelay) return Number(info.retryDelay.seconds) * 1_000 + info.retryDelay.nanos / 1e6;
  const pushback = error.metadata.get("grpc-retry-pushback-ms");
  if (pushback !== null) return /^\d{1,10}$/.test(pushback) ? Number(pushback) : Infinity;
  const retryAfter = error.metadata.get("retry-after");
  if (retryAfter === null) return undefined;
  const ms = /^\d{1,10}$/.test(retryAfter) ? Number(retryAfter) * 1_000 : Date.parse(retryAfter) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function backoffMs(attempt: number, options: RetryOptions): number {
  const { backoff = "exponential", initialDelayMs = 100, maxDelayMs = 5_000 } = options;
  if (typeof backoff === "function") return backoff(attempt);
  if (backoff === "linear") return Math.min(maxDelayMs, attempt * initialDelayMs);
  return Math.random() * Math.min(maxDelayMs, initialDelayMs * 2 ** (attempt - 1));
}

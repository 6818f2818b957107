import { Code, type ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { findNotSent } from "../not-sent.ts";

/** A failed attempt that is about to be repeated. */
export interface RetryEvent {
  /** As `user.v1.UserService/GetUser`. */
  readonly method: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** How long it waits now, in milliseconds. */
  readonly delayMs: number;
  readonly error: ConnectError;
}

export interface RetryOptions {
  /** Attempts in all, the first one included; 1 switches retries off. Default 4. */
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
  /** Longest wait, in milliseconds; what the server asks for (RetryInfo) may be longer. Default 5 s. */
  maxDelayMs?: number | undefined;
  /**
   * Longest time for one attempt, in milliseconds, within the deadline of the call.
   * Default: the deadline alone.
   */
  attemptTimeoutMs?: number | undefined;
  /** Default: {@link RetryBudgetOptions}' own. */
  budget?: RetryBudgetOptions | undefined;
  /** Told of each retry before its wait; what it throws is dropped. */
  onRetry?: ((event: RetryEvent) => void) | undefined;
}

/** Retries stop when too many calls fail, as gRPC's retryThrottling does: a server in trouble gets no extra load. */
export interface RetryBudgetOptions {
  /** Each failed attempt takes one token; with half of them or fewer left, nothing is retried. Default 10. */
  maxTokens?: number | undefined;
  /** What each success gives back. Default 0.1. */
  tokenRatio?: number | undefined;
}

export class RetryBudget {
  readonly #maxTokens: number;
  readonly #tokenRatio: number;
  #tokens: number;

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

  failed(): void {
    this.#tokens = Math.max(0, this.#tokens - 1);
  }
}

/**
 * Whether the same call can succeed later; says nothing about whether repeating it is
 * safe. What is exhausted comes back where the server says when (RetryInfo), as a rate
 * limit does; a message that is too large stays so.
 */
export function isTransient(error: ConnectError): boolean {
  switch (error.code) {
    case Code.Unavailable:
      return findNotSent(error)?.isTransient ?? true;
    case Code.ResourceExhausted:
      return error.findDetails(RetryInfoSchema).length > 0;
    case Code.DeadlineExceeded:
      return true;
    default:
      return false;
  }
}

/** How long to wait after this error, in milliseconds: as the server says (RetryInfo), else by the backoff. */
export function delayAfter(error: ConnectError, attempt: number, options: RetryOptions): number {
  const [info] = error.findDetails(RetryInfoSchema);
  if (info?.retryDelay) return Number(info.retryDelay.seconds) * 1_000 + info.retryDelay.nanos / 1e6;
  const { backoff = "exponential", initialDelayMs = 100, maxDelayMs = 5_000 } = options;
  if (typeof backoff === "function") return backoff(attempt);
  if (backoff === "linear") return Math.min(maxDelayMs, attempt * initialDelayMs);
  return Math.random() * Math.min(maxDelayMs, initialDelayMs * 2 ** (attempt - 1));
}

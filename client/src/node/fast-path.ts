import type { OutgoingHttpHeaders } from "node:http";
import { Code, type ConnectError } from "@connectrpc/connect";
import { findForeignAnswer } from "../internal/foreign-answer.ts";
import { randomId } from "../internal/random-id.ts";
import type { TokenSource } from "../internal/token-source.ts";
import type { CallChain, CommonOptions } from "../options.ts";

/**
 * Does the work of the client's own interceptors without their objects, since most calls succeed immediately. A call
 * that fails continues through the interceptors, which treat it as a failed first attempt.
 */
export class FastPath {
  readonly #chain: CallChain;
  #token: string | undefined;
  #authorization = "";

  constructor(chain: CallChain) {
    this.#chain = chain;
  }

  /**
   * Adds request id and token to the headers of a call. Returns false if the interceptors have to do it, while a token
   * has to be fetched.
   */
  addHeaders(headers: OutgoingHttpHeaders): boolean {
    const { tokens } = this.#chain;
    if (tokens && headers.authorization === undefined && !this.#authorize(tokens, headers)) return false;
    headers["x-request-id"] ??= randomId();
    return true;
  }

  #authorize(tokens: TokenSource, headers: OutgoingHttpHeaders): boolean {
    const token = tokens.peek();
    if (token === undefined) return false;
    if (token !== this.#token) {
      this.#token = token;
      this.#authorization = `Bearer ${token}`;
    }
    headers.authorization = this.#authorization;
    return true;
  }

  /** Notes that a unary call has succeeded. */
  succeeded(): void {
    this.#chain.budget.succeeded();
  }

  /** Notes that a stream has failed: after a refusal, the next call asks for a new token. */
  streamFailed(error: ConnectError, { authorization }: OutgoingHttpHeaders): void {
    if (error.code !== Code.Unauthenticated || findForeignAnswer(error)) return;
    this.#chain.tokens?.forget(String(authorization).slice("Bearer ".length));
  }
}

/** Returns the fast path of a client; undefined if interceptors have to see each call from its beginning. */
export function createFastPath(options: CommonOptions, chain: CallChain): FastPath | undefined {
  const { trace, logger, interceptors = [], retry } = options;
  const hasAttemptTimeout = retry !== undefined && retry !== false && retry.attemptTimeoutMs !== undefined;
  return trace || logger || interceptors.length > 0 || hasAttemptTimeout ? undefined : new FastPath(chain);
}

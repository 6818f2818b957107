import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { abortable } from "@rollcall/shared/abortable";
import { readJwtClaims } from "@rollcall/shared/jwt-claims";
import { TOKEN_FAULT, toBearerToken } from "../internal/bearer-token.ts";
import { findForeignAnswer } from "../internal/foreign-answer.ts";
import { observeCall } from "./observe-call.ts";

export interface TokenRequest {
  /** Token that the server has just refused. */
  readonly refused: string | undefined;
}

/**
 * Returns the bearer token to send; undefined or an empty one sends none. Called before each call. A promise means that
 * getting a token takes work: then the token is kept until shortly before it expires (a JWT's `exp`), and calls at the
 * same time share one request.
 */
export type GetToken = (request: TokenRequest) => string | undefined | Promise<string | undefined>;

export interface AuthOptions {
  /** Token that stays the same, or a function that returns one. */
  token: string | GetToken;
  /** How long before its expiry a token is renewed, in milliseconds. Default 30 s. */
  renewBeforeMs?: number | undefined;
  /** Returns milliseconds since the Unix epoch. */
  now?: (() => number) | undefined;
}

/**
 * Sends `authorization: Bearer …`, and renews the token before it expires.
 *
 * - A unary call that is refused as unauthenticated is repeated once, if there is a new token.
 * - After a refused stream, the next call asks for a new token.
 * - A call that is aborted, or whose deadline ends, stops waiting for a token.
 * - A token with invalid characters (RFC 6750, 2.1) is not sent: the call fails as unauthenticated.
 */
export function createAuthInterceptor({ token, renewBeforeMs = 30_000, now = Date.now }: AuthOptions): Interceptor {
  const source = new TokenSource(typeof token === "string" ? () => token : token, renewBeforeMs, now);
  return (next) => async (request) => {
    const send = async (refused?: string) => {
      const current = await abortable(source.get(refused), request.signal);
      if (current !== undefined && current === refused) return undefined;
      if (current === undefined) request.header.delete("authorization");
      else request.header.set("authorization", `Bearer ${current}`);
      return current;
    };
    const sent = await send();
    if (sent === undefined) return next(request);
    if (request.stream) {
      return observeCall(next, request, (error) => {
        if (error?.code === Code.Unauthenticated && !findForeignAnswer(error)) source.forget(sent);
      });
    }
    try {
      return await next(request);
    } catch (error) {
      const isRefused = ConnectError.from(error).code === Code.Unauthenticated && !findForeignAnswer(error);
      if (!isRefused || (await send(sent)) === undefined) throw error;
      return next(request);
    }
  };
}

class TokenSource {
  readonly #getToken: GetToken;
  readonly #renewBeforeMs: number;
  readonly #now: () => number;
  #kept: { token: string; renewAtMs: number } | undefined;
  #pending: Promise<string | undefined> | undefined;

  constructor(getToken: GetToken, renewBeforeMs: number, now: () => number) {
    this.#getToken = getToken;
    this.#renewBeforeMs = renewBeforeMs;
    this.#now = now;
  }

  get(refused: string | undefined): string | undefined | Promise<string | undefined> {
    if (refused !== undefined) this.forget(refused);
    if (this.#kept && this.#now() < this.#kept.renewAtMs) return this.#kept.token;
    if (this.#pending) return this.#pending;
    const answer = this.#getToken({ refused });
    if (!(answer instanceof Promise)) return checked(answer);
    this.#pending = answer
      .then((text) => {
        const token = checked(text);
        if (token !== undefined) this.#keep(token);
        return token;
      })
      .finally(() => {
        this.#pending = undefined;
      });
    return this.#pending;
  }

  forget(refused: string): void {
    if (this.#kept?.token === refused) this.#kept = undefined;
  }

  #keep(token: string): void {
    const expiresAtMs = expiryOf(token);
    // A token without a known expiry is asked for each time.
    if (expiresAtMs !== undefined) this.#kept = { token, renewAtMs: expiresAtMs - this.#renewBeforeMs };
  }
}

/**
 * Returns the token, or undefined for none. @throws ConnectError, which does not quote the token, for one that must not
 * go into a header.
 */
function checked(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const token = toBearerToken(text);
  if (token === undefined) throw new ConnectError(TOKEN_FAULT, Code.Unauthenticated);
  return token || undefined;
}

/** Returns the expiry of a JWT, in milliseconds since the Unix epoch. */
function expiryOf(token: string): number | undefined {
  const { exp } = readJwtClaims(token) ?? {};
  return typeof exp === "number" ? exp * 1_000 : undefined;
}

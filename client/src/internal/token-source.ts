import { Code, ConnectError } from "@connectrpc/connect";
import { readJwtClaims } from "@rollcall/shared/jwt-claims";
import { TOKEN_FAULT, toBearerToken } from "./bearer-token.ts";

export interface TokenRequest {
  /** Token that the server has just refused. */
  readonly refused: string | undefined;
}

/**
 * Returns the bearer token to send; with undefined or an empty one, none is sent. Called before each call. If it
 * returns a promise, getting a token is taken to be expensive: the token is then kept until shortly before it expires
 * (a JWT's `exp`), and concurrent calls share one request.
 */
export type GetToken = (request: TokenRequest) => string | undefined | Promise<string | undefined>;

/** Source of tokens for calls: a fixed token, or a function's. */
export class TokenSource {
  readonly #token: string | GetToken;
  /** A fixed token, once it is known to be valid. */
  readonly #constant: string | undefined;
  readonly #renewBeforeMs: number;
  readonly #now: () => number;
  #kept: { token: string; renewAtMs: number } | undefined;
  #pending: Promise<string | undefined> | undefined;

  constructor(token: string | GetToken, renewBeforeMs = 30_000, now: () => number = Date.now) {
    this.#token = token;
    this.#constant = typeof token === "string" ? toBearerToken(token) : undefined;
    this.#renewBeforeMs = renewBeforeMs;
    this.#now = now;
  }

  /** Returns the token that a call can send without asking for one; undefined if there is none. */
  peek(): string | undefined {
    if (this.#constant) return this.#constant;
    return this.#kept && this.#now() < this.#kept.renewAtMs ? this.#kept.token : undefined;
  }

  get(refused: string | undefined): string | undefined | Promise<string | undefined> {
    if (typeof this.#token === "string") return this.#constant || checked(this.#token);
    if (refused !== undefined) this.forget(refused);
    if (this.#kept && this.#now() < this.#kept.renewAtMs) return this.#kept.token;
    if (this.#pending) return this.#pending;
    const answer = this.#token({ refused });
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
 * Returns the token, or undefined for none.
 *
 * @throws ConnectError for a token that must not go into a header. The error does not quote it.
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

import { Code, ConnectError } from "@connectrpc/connect";
import { readJwtClaims } from "@rollcall/shared/jwt-claims";
import { TOKEN_FAULT, toBearerToken } from "./bearer-token.ts";

export interface TokenRequest {
  /** Token that the server has refused, until there is another. */
  readonly refused: string | undefined;
}

/**
 * Returns the bearer token to send; with undefined, null or an empty one, none is sent. Called before each call. If it
 * returns a promise, getting a token is taken to be expensive: the token is then kept until shortly before it expires
 * (a JWT's `exp`), and concurrent calls share one request.
 */
export type GetToken = (request: TokenRequest) => MaybeToken | Promise<MaybeToken>;

/** Storages of browsers return null for what they do not have. */
type MaybeToken = string | undefined | null;

/** Source of tokens for calls: a fixed token, or a function's. */
export class TokenSource {
  readonly #token: string | GetToken;
  /** A fixed token, once it is known to be valid. */
  readonly #constant: string | undefined;
  readonly #renewBeforeMs: number;
  readonly #now: () => number;
  #kept: { token: string; renewAtMs: number } | undefined;
  #pending: Promise<string | undefined> | undefined;
  /** Token that the function has returned last. */
  #latest: string | undefined;
  #refused: string | undefined;

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
    const answer = this.#token({ refused: this.#refused });
    if (!(answer instanceof Promise)) return this.#note(answer);
    this.#pending = answer
      .then((text) => {
        const token = this.#note(text);
        if (token !== undefined) this.#keep(token);
        return token;
      })
      .finally(() => {
        this.#pending = undefined;
      });
    return this.#pending;
  }

  /** Notes that the server has refused a token, unless there is another by now. */
  forget(refused: string): void {
    if (this.#latest !== refused) return;
    this.#kept = undefined;
    this.#refused = refused;
  }

  #note(text: MaybeToken): string | undefined {
    this.#latest = checked(text);
    if (this.#latest !== this.#refused) this.#refused = undefined;
    return this.#latest;
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
function checked(text: MaybeToken): string | undefined {
  if (text === undefined || text === null) return undefined;
  const token = toBearerToken(text);
  if (token === undefined) throw new ConnectError(TOKEN_FAULT, Code.Unauthenticated);
  return token || undefined;
}

/** Returns the expiry of a JWT, in milliseconds since the Unix epoch. */
function expiryOf(token: string): number | undefined {
  const { exp } = readJwtClaims(token) ?? {};
  return typeof exp === "number" ? exp * 1_000 : undefined;
}

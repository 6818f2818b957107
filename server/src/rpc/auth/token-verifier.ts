import { createSecretKey, type KeyObject } from "node:crypto";
import { decodeProtectedHeader, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from "jose";
import type { Logger } from "pino";
import type { Principal } from "../../domain/principal.ts";
import { KEY_SET_ALGORITHMS } from "./key-set.ts";
import { type KeySetOptions, KeysUnavailableError, ProviderKeys } from "./provider-keys.ts";

/** Longest token that is read, in characters. RS512 with a dozen claims stays far below. */
const MAX_TOKEN_LENGTH = 8_192;
/** Longest `sub`, in characters (OpenID Connect Core 1.0, 2). It appears in each of its caller's log lines. */
const MAX_SUBJECT_LENGTH = 255;

/**
 * Clock difference that `nbf` allows for, in seconds: the issuer's clock may be ahead of ours (RFC 7519, 4.1.5), and a
 * token may arrive milliseconds after it was issued. `iat` never makes a token invalid (4.1.6). `exp` has no leeway: no
 * token is valid for longer than its issuer said, streams end at exactly that time, and clients renew their tokens
 * ahead of it.
 */
const LEEWAY_SECONDS = 5;

/** Fixed here, so that a token can't choose its own algorithm (RFC 8725, 3.1). */
const SECRET_ALGORITHMS = ["HS256"];

export type TokenKeys =
  | {
      /** HS256 secret of at least 32 bytes. */
      secret: Uint8Array;
      /** Former secret, whose tokens are still accepted. Nothing is signed with it. Default: none. */
      previousSecret?: Uint8Array | undefined;
    }
  | KeySetOptions;

export interface TokenVerifierOptions {
  keys: TokenKeys;
  /** Required `iss`; any when undefined. */
  issuer?: string | undefined;
  /** Required among `aud`; any when undefined. */
  audience?: string | undefined;
  /** Logs when the identity provider's keys become unavailable, and when they are back. Default: none. */
  logger?: Logger | undefined;
  /** Milliseconds since the Unix epoch. Default: the system's clock. */
  now?: (() => number) | undefined;
}

/** The token is not acceptable. The reason is for the log, never for the caller. */
export class InvalidTokenError extends Error {
  override name = "InvalidTokenError";
}

/**
 * The token was acceptable until its `exp`. Signature, issuer and audience are good, so the caller may learn the
 * reason.
 */
export class ExpiredTokenError extends InvalidTokenError {
  override name = "ExpiredTokenError";
}

/**
 * Resolves with the caller that a JWT (RFC 7519) names; `exp` and `sub` are required.
 *
 * @throws InvalidTokenError, or its subclass ExpiredTokenError; KeysUnavailableError when the keys are unavailable.
 */
export interface TokenVerifier {
  (token: string): Promise<Principal>;
  /**
   * Returns the version of the keys. While it stays the same, a token that was accepted stays valid until it expires,
   * and need not be verified again. If it is undefined, or there is no such function, each call's token has to be
   * verified.
   */
  readonly keyVersion?: (() => number | undefined) | undefined;
}

export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { keys, issuer, audience, now = Date.now } = options;
  const checks = {
    algorithms: "secret" in keys ? SECRET_ALGORITHMS : [...KEY_SET_ALGORITHMS],
    requiredClaims: ["exp", "sub"],
    clockTolerance: LEEWAY_SECONDS,
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  };
  const { findKeys, keyVersion } = createKeyFinder(options);
  const verifyToken = async (token: string) => {
    if (token.length > MAX_TOKEN_LENGTH) throw new InvalidTokenError("token is too long");
    try {
      const candidates = await findKeys(token);
      const nowMs = now();
      return toPrincipal(await verify(token, candidates, { ...checks, currentDate: new Date(nowMs) }), nowMs);
    } catch (error) {
      if (error instanceof KeysUnavailableError || error instanceof ExpiredTokenError) throw error;
      // jose checks `exp` last, but does not check the claims that `toPrincipal` does.
      if (error instanceof errors.JWTExpired && isWellFormed(error.payload)) {
        throw new ExpiredTokenError("token has expired", { cause: error });
      }
      throw new InvalidTokenError("token was refused", { cause: error });
    }
  };
  return Object.assign(verifyToken, { keyVersion });
}

type Key = KeyObject;

interface KeyFinder {
  /**
   * Creates a function that finds the keys that may have signed a token, and throws for a token whose header names no
   * acceptable key.
   */
  findKeys(token: string): Promise<Key[]>;
  keyVersion(): number | undefined;
}

function createKeyFinder({ keys, logger, now = Date.now }: TokenVerifierOptions): KeyFinder {
  if ("secret" in keys) {
    const { secret, previousSecret } = keys;
    const secrets = [secret, ...(previousSecret ? [previousSecret] : [])].map((bytes) => createSecretKey(bytes));
    return { findKeys: async () => secrets, keyVersion: () => 0 };
  }
  const providerKeys = new ProviderKeys({ ...keys, logger, now });
  const findKeys = async (token: string) => {
    const { alg = "", kid } = decodeProtectedHeader(token);
    if (!KEY_SET_ALGORITHMS.includes(alg)) throw new InvalidTokenError("the algorithm is not one of a public key");
    if (kid !== undefined && typeof kid !== "string") throw new InvalidTokenError("the kid is not text");
    return providerKeys.find({ alg, kid });
  };
  return { findKeys, keyVersion: () => providerKeys.version };
}

/** Returns the claims of a token that one of the keys has signed. @throws jose's errors. */
async function verify(token: string, keys: readonly Key[], checks: JWTVerifyOptions): Promise<JWTPayload> {
  let failure: unknown = new InvalidTokenError("no key fits the token's header");
  for (const key of keys) {
    try {
      return (await jwtVerify(token, key, checks)).payload;
    } catch (error) {
      failure = error;
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) break;
    }
  }
  throw failure;
}

function toPrincipal(payload: JWTPayload, nowMs: number): Principal {
  if (!isWellFormed(payload)) throw new InvalidTokenError("a claim is missing, of the wrong type, or out of range");
  const { sub, exp, scope = "" } = payload;
  // jose applies its leeway to all times alike, so `exp` is checked again without it.
  if (exp * 1_000 <= nowMs) throw new ExpiredTokenError("token has expired");
  return { subject: sub, scopes: new Set(scope.split(" ").filter((name) => name !== "")), expiresAtMs: exp * 1_000 };
}

/** Claims that a token must have, or may have, for its caller to be let in. */
interface WellFormedPayload {
  readonly sub: string;
  readonly exp: number;
  readonly scope?: string;
}

/**
 * Returns whether the claims have the types that RFC 7519, 4.1 and RFC 8693, 4.2 give them. JSON can hold numbers
 * beyond a double's range: 1e999 is read as Infinity, and an infinite time would never come.
 */
function isWellFormed(payload: JWTPayload): payload is JWTPayload & WellFormedPayload {
  const { sub, exp, nbf = 0, iat = 0, scope = "" } = payload;
  return isSubject(sub) && [exp, nbf, iat].every(isTime) && typeof scope === "string";
}

/**
 * Returns whether a claim names a caller in a form that every database can store: PostgreSQL's texts can't hold NUL.
 */
function isSubject(claim: unknown): claim is string {
  return typeof claim === "string" && claim !== "" && claim.length <= MAX_SUBJECT_LENGTH && !claim.includes("\0");
}

/** Returns whether a claim is a time (NumericDate of RFC 7519, 2) that is also finite in milliseconds. */
function isTime(claim: unknown): boolean {
  return typeof claim === "number" && Number.isFinite(claim * 1_000);
}

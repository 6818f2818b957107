import {
  createRemoteJWKSet,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
  type RemoteJWKSetOptions,
} from "jose";
import type { Principal } from "../../domain/principal.ts";

/** A longer token is refused unread; RS512 with a dozen claims stays far below. */
const MAX_TOKEN_LENGTH = 8_192;
/** Longest `sub`, in characters (OpenID Connect Core 1.0, 2): it goes into each log line of its caller. */
const MAX_SUBJECT_LENGTH = 255;

/** Never the algorithms that a token itself asks for (RFC 8725, 3.1). */
const SECRET_ALGORITHMS = ["HS256"];
const JWKS_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];

export type TokenKeys =
  | {
      /** HS256 secret of at least 32 bytes. */
      secret: Uint8Array;
    }
  | {
      /** The identity provider's key set (RFC 7517), fetched when needed and again for a key it does not hold. */
      jwksUrl: URL;
      /** Between two fetches, in milliseconds, whatever keys tokens name. Default 30 s. */
      keyCooldownMs?: number;
    };

export interface TokenVerifierOptions {
  keys: TokenKeys;
  /** Required `iss`; any when undefined. */
  issuer?: string | undefined;
  /** Required among `aud`; any when undefined. */
  audience?: string | undefined;
  /** Milliseconds since the Unix epoch. Default: the system's clock. */
  now?: (() => number) | undefined;
}

/** The token is not acceptable; why is for the log, never for the caller. */
export class InvalidTokenError extends Error {
  override name = "InvalidTokenError";
}

/** The token was acceptable until its `exp`: signature, issuer and audience are good, so its caller may know. */
export class ExpiredTokenError extends InvalidTokenError {
  override name = "ExpiredTokenError";
}

/**
 * Resolves with the caller whom a JWT (RFC 7519) names; `exp` and `sub` are required.
 *
 * @throws InvalidTokenError, or its ExpiredTokenError; any other error means that the keys can't be had now.
 */
export type TokenVerifier = (token: string) => Promise<Principal>;

export function createTokenVerifier({ keys, issuer, audience, now = Date.now }: TokenVerifierOptions): TokenVerifier {
  const algorithms = "secret" in keys ? SECRET_ALGORITHMS : JWKS_ALGORITHMS;
  const options = {
    algorithms,
    requiredClaims: ["exp", "sub"],
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  };
  const getKey: JWTVerifyGetKey =
    "secret" in keys ? async () => keys.secret : createRemoteJWKSet(keys.jwksUrl, jwksOptions(keys));
  return async (token) => {
    if (token.length > MAX_TOKEN_LENGTH) throw new InvalidTokenError("token is too long");
    try {
      const { payload } = await jwtVerify(token, getKey, { ...options, currentDate: new Date(now()) });
      return toPrincipal(payload);
    } catch (error) {
      if (isKeySetFault(error)) throw error;
      // jose looks at `exp` last of all, but not at the claims that `toPrincipal` does.
      if (error instanceof errors.JWTExpired && isWellFormed(error.payload)) {
        throw new ExpiredTokenError("token has expired", { cause: error });
      }
      throw new InvalidTokenError("token was refused", { cause: error });
    }
  };
}

function jwksOptions({ keyCooldownMs = 30_000 }: { keyCooldownMs?: number }): RemoteJWKSetOptions {
  return { timeoutDuration: 5_000, cooldownDuration: keyCooldownMs };
}

function toPrincipal(payload: JWTPayload): Principal {
  if (!isWellFormed(payload)) throw new InvalidTokenError("a claim is missing, of the wrong type, or out of range");
  const { sub, exp, scope = "" } = payload;
  return { subject: sub, scopes: new Set(scope.split(" ").filter((name) => name !== "")), expiresAtMs: exp * 1_000 };
}

/** The claims that a token must have, or may have, for its caller to be let in. */
interface WellFormedPayload {
  readonly sub: string;
  readonly exp: number;
  readonly scope?: string;
}

/**
 * Whether the claims have the types that RFC 7519, 4.1 and RFC 8693, 4.2 give them. JSON has numbers beyond
 * what a double holds: 1e999 is read as Infinity, and a time that is infinite would never come.
 */
function isWellFormed(payload: JWTPayload): payload is JWTPayload & WellFormedPayload {
  const { sub, exp, nbf = 0, iat = 0, scope = "" } = payload;
  const isSubject = typeof sub === "string" && sub !== "" && sub.length <= MAX_SUBJECT_LENGTH;
  return isSubject && [exp, nbf, iat].every(isTime) && typeof scope === "string";
}

/** Whether a claim is a time (NumericDate of RFC 7519, 2) that is finite in milliseconds too. */
function isTime(claim: unknown): boolean {
  return typeof claim === "number" && Number.isFinite(claim * 1_000);
}

/** Whether the identity provider's keys can't be had, which says nothing about the token. */
function isKeySetFault(error: unknown): boolean {
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) return false;
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return true;
  // jose throws its base class for an answer that is not 200 or not JSON; fetch a TypeError.
  return !(error instanceof errors.JOSEError) ? error instanceof TypeError : error.constructor === errors.JOSEError;
}

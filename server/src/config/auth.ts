import type { Reader } from "@rollcall/shared/settings/reader";
import { parseSigning } from "@rollcall/shared/settings/signing";
import { settings } from "../limits.ts";
import type { TokenKeys, TokenVerifierOptions } from "../rpc/auth/token-verifier.ts";
import { isLoopback } from "./host.ts";

export interface AuthConfig extends Omit<TokenVerifierOptions, "keys"> {
  /** Undefined means a development key, and is only allowed on loopback. */
  readonly keys: TokenKeys | undefined;
}

/** Reads which keys verify tokens, and which claims a token must have. */
export function parseAuth(read: Reader, problems: string[]): AuthConfig {
  const { secrets, jwksUrl, issuer, audience } = parseSigning(read, problems);
  const maxStaleMs = read.milliseconds("AUTH_JWKS_MAX_STALE_MS", settings.authJwksMaxStaleMs);
  if (jwksUrl === undefined) return { keys: secrets, issuer, audience };
  if (!issuer) problems.push("AUTH_ISSUER: must be set with AUTH_JWKS_URL");
  if (!audience) problems.push("AUTH_AUDIENCE: must be set with AUTH_JWKS_URL");
  const url = parseJwksUrl(jwksUrl, problems);
  return { keys: url && { jwksUrl: url, maxStaleMs }, issuer, audience };
}

function parseJwksUrl(text: string, problems: string[]): URL | undefined {
  const url = URL.parse(text);
  const isSafe =
    url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname.replace(/^\[(.*)\]$/, "$1")));
  if (url && (url.username !== "" || url.password !== "")) {
    problems.push("AUTH_JWKS_URL: must not have a user name or password: a key set is public");
  } else if (url && isSafe) {
    return url;
  } else {
    problems.push("AUTH_JWKS_URL: must be an https URL");
  }
  return undefined;
}

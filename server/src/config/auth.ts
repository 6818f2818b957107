import { ConfigError } from "@rollcall/shared/settings/config-error";
import { createReader, type Env, type Reader } from "@rollcall/shared/settings/reader";
import { settings } from "../limits.ts";
import type { TokenKeys, TokenVerifierOptions } from "../rpc/auth/token-verifier.ts";
import { developmentKeyPath, parseDatabaseUrl } from "./database-url.ts";
import { isLoopback } from "./host.ts";
import type { FileSources } from "./tls.ts";

export interface AuthConfig extends Omit<TokenVerifierOptions, "keys"> {
  /** Undefined means a development key. Only ever so on loopback. */
  readonly keys: TokenKeys | undefined;
}

const MIN_SECRET_BYTES = 32;

/** Settings that signing a token needs. */
export interface TokenSettings {
  readonly auth: AuthConfig;
  /** Path of the key to sign with if no other is set; undefined if the server keeps it to itself. */
  readonly developmentKeyPath: string | undefined;
}

/**
 * Reads only the settings that signing a token needs; the others may be wrong. The database matters only if no key is
 * set.
 *
 * @throws ConfigError
 */
export function parseTokenSettings(env: Env, sources: FileSources): TokenSettings {
  const problems: string[] = [];
  const read = createReader(env, problems);
  const auth = parseAuth(read, problems);
  const keyPath = auth.keys
    ? undefined
    : developmentKeyPath(parseDatabaseUrl(read, sources, problems), sources.rootDir);
  if (problems.length > 0) throw new ConfigError(problems);
  return { auth, developmentKeyPath: keyPath };
}

/** Reads where the keys of tokens are, and what tokens have to say. */
export function parseAuth(read: Reader, problems: string[]): AuthConfig {
  const issuer = read.text("AUTH_ISSUER");
  const audience = read.text("AUTH_AUDIENCE");
  return { keys: parseTokenKeys(read, problems), issuer, audience };
}

function parseTokenKeys(read: Reader, problems: string[]): TokenKeys | undefined {
  const secret = read.text("AUTH_SECRET");
  const jwksUrl = read.text("AUTH_JWKS_URL");
  const previous = read.text("AUTH_SECRET_PREVIOUS");
  const maxStaleMs = read.milliseconds("AUTH_JWKS_MAX_STALE_MS", settings.authJwksMaxStaleMs);
  if (secret !== undefined && jwksUrl !== undefined) {
    problems.push("AUTH_JWKS_URL: must not be set together with AUTH_SECRET");
    return undefined;
  }
  if (previous !== undefined && secret === undefined) problems.push("AUTH_SECRET_PREVIOUS: needs AUTH_SECRET");
  if (secret !== undefined) {
    if (secret === previous) problems.push("AUTH_SECRET_PREVIOUS: must not be the same as AUTH_SECRET");
    return {
      secret: secretBytes("AUTH_SECRET", secret, problems),
      previousSecret: previous === undefined ? undefined : secretBytes("AUTH_SECRET_PREVIOUS", previous, problems),
    };
  }
  if (jwksUrl === undefined) return undefined;
  if (!read.text("AUTH_ISSUER")) problems.push("AUTH_ISSUER: must be set with AUTH_JWKS_URL");
  if (!read.text("AUTH_AUDIENCE")) problems.push("AUTH_AUDIENCE: must be set with AUTH_JWKS_URL");
  const url = URL.parse(jwksUrl);
  const isSafe =
    url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname.replace(/^\[(.*)\]$/, "$1")));
  if (url && (url.username !== "" || url.password !== "")) {
    problems.push("AUTH_JWKS_URL: must not have a user name or password: a key set is public");
  } else if (url && isSafe) {
    return { jwksUrl: url, maxStaleMs };
  } else {
    problems.push("AUTH_JWKS_URL: must be an https URL");
  }
  return undefined;
}

function secretBytes(name: string, secret: string, problems: string[]): Uint8Array {
  const bytes = new TextEncoder().encode(secret);
  if (bytes.length < MIN_SECRET_BYTES) problems.push(`${name}: must have at least ${MIN_SECRET_BYTES} bytes`);
  return bytes;
}

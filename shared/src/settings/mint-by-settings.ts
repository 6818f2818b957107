import { existsSync } from "node:fs";
import { ConfigError } from "./config-error.ts";
import { databaseUrlOf, developmentKeyPath, isPostgresUrl, parseSqliteUrl } from "./database-file.ts";
import { loadDevelopmentKey } from "./development-key.ts";
import { mintToken } from "./mint-token.ts";
import { createReader, type Env } from "./reader.ts";
import { parseSigning } from "./signing.ts";

export interface TokenRequest {
  readonly subject: string;
  /** Scopes, with spaces between them. */
  readonly scope: string;
  readonly ttlMs: number;
}

export interface TokenSources {
  readonly env: Env;
  /** Folder that the paths of settings start from. */
  readonly rootDir: string;
  /** Known scopes. */
  readonly scopes: readonly string[];
}

/** The requested token is not possible. The message says why. */
export class TokenRequestError extends Error {
  override name = "TokenRequestError";
}

/**
 * Returns a token that a server with the same settings accepts: signed with AUTH_SECRET, or with the development key
 * beside the database. Reads only the settings that it needs; the others may be wrong.
 *
 * @throws TokenRequestError for a request that can't be met, and if there is no key to sign with; ConfigError;
 * DevelopmentKeyError.
 */
export async function mintTokenBySettings(
  { subject, scope, ttlMs }: TokenRequest,
  { env, rootDir, scopes: known }: TokenSources,
): Promise<string> {
  if (subject === "") throw new TokenRequestError("--sub must not be empty");
  if (ttlMs < 1_000) throw new TokenRequestError("--ttl must be a second or more");
  const scopes = scopesOf(scope, known);
  const problems: string[] = [];
  const read = createReader(env, problems);
  const { secrets, jwksUrl, issuer, audience } = parseSigning(read, problems);
  const keyPath = secrets || jwksUrl !== undefined ? undefined : keyPathOf(databaseUrlOf(read), rootDir, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  if (jwksUrl !== undefined) {
    throw new TokenRequestError("AUTH_JWKS_URL: the identity provider mints the tokens of this server");
  }
  const secret = secrets?.secret ?? loadDevelopmentKey(existingKeyFile(keyPath));
  return await mintToken({ secret, subject, scopes, ttlSeconds: Math.floor(ttlMs / 1_000), issuer, audience });
}

/**
 * Reads scopes separated by spaces.
 *
 * @throws TokenRequestError for a scope that no method requires, and if there is none.
 */
function scopesOf(list: string, known: readonly string[]): string[] {
  const scopes = list.split(/\s+/).filter((name) => name !== "");
  const unknown = scopes.filter((name) => !known.includes(name)).map((name) => JSON.stringify(name));
  if (scopes.length > 0 && unknown.length === 0) return [...new Set(scopes)];
  const problem = unknown.length > 0 ? `there is no scope ${unknown.join(", ")}` : "a scope is missing";
  throw new TokenRequestError(`--scope: ${problem}; there are ${known.join(", ")}, with spaces between them`);
}

function keyPathOf(databaseUrl: string, rootDir: string, problems: string[]): string | undefined {
  const database = isPostgresUrl(databaseUrl) ? ({ kind: "postgres" } as const) : parseSqliteUrl(databaseUrl, rootDir);
  if (typeof database !== "string") return developmentKeyPath(database, rootDir);
  problems.push(`DATABASE_URL: ${database}`);
  return undefined;
}

/** @throws TokenRequestError if no server has created a key yet. */
function existingKeyFile(path: string | undefined): string {
  if (path === undefined) {
    throw new TokenRequestError(
      "DATABASE_URL: a server with its database in memory keeps its key to itself; set AUTH_SECRET",
    );
  }
  if (existsSync(path)) return path;
  throw new TokenRequestError(`no key to sign with: set AUTH_SECRET, or start the server, which makes ${path}`);
}

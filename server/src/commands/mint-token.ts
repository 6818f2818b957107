import { existsSync } from "node:fs";
import { loadDevelopmentKey } from "@rollcall/shared/settings/development-key";
import { mintToken } from "@rollcall/shared/settings/mint-token";
import type { Env } from "@rollcall/shared/settings/reader";
import { parseTokenSettings } from "../config/auth.ts";
import { SCOPES } from "../rpc/auth/permissions.ts";
import { fileSources } from "./io.ts";
import { CommandUsageError } from "./usage-error.ts";

export interface TokenRequest {
  readonly subject: string;
  /** Scopes, with spaces between them. */
  readonly scope: string;
  readonly ttlMs: number;
}

/**
 * Returns a token that a server with the same settings accepts: signed with AUTH_SECRET, or with the development key
 * that lies beside the database.
 *
 * @throws CommandUsageError for what was asked for, and where there is no key to sign with; ConfigError;
 * DevelopmentKeyError.
 */
export async function mintTokenBySettings(
  { subject, scope, ttlMs }: TokenRequest,
  { env, rootDir }: { env: Env; rootDir: string },
): Promise<string> {
  if (subject === "") throw new CommandUsageError("--sub must not be empty");
  if (ttlMs < 1_000) throw new CommandUsageError("--ttl must be a second or more");
  const scopes = scopesOf(scope);
  const { auth, developmentKeyPath } = parseTokenSettings(env, fileSources(rootDir));
  if (auth.keys && !("secret" in auth.keys)) {
    throw new CommandUsageError("AUTH_JWKS_URL: the identity provider mints the tokens of this server");
  }
  const secret = auth.keys?.secret ?? loadDevelopmentKey(existingKeyFile(developmentKeyPath));
  const { issuer, audience } = auth;
  return await mintToken({ secret, subject, scopes, ttlSeconds: Math.floor(ttlMs / 1_000), issuer, audience });
}

/** Reads scopes separated by spaces. @throws CommandUsageError for one that no method requires, or none. */
function scopesOf(list: string): string[] {
  const known: readonly string[] = SCOPES;
  const scopes = list.split(/\s+/).filter((name) => name !== "");
  const unknown = scopes.filter((name) => !known.includes(name)).map((name) => JSON.stringify(name));
  if (scopes.length > 0 && unknown.length === 0) return [...new Set(scopes)];
  const problem = unknown.length > 0 ? `there is no scope ${unknown.join(", ")}` : "a scope is missing";
  throw new CommandUsageError(`--scope: ${problem}; there are ${known.join(", ")}, with spaces between them`);
}

/** @throws CommandUsageError if no server has created a key yet. */
function existingKeyFile(path: string | undefined): string {
  if (path === undefined) {
    throw new CommandUsageError(
      "DATABASE_URL: a server with its database in memory keeps its key to itself; set AUTH_SECRET",
    );
  }
  if (existsSync(path)) return path;
  throw new CommandUsageError(`no key to sign with: set AUTH_SECRET, or start the server, which makes ${path}`);
}

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { UsageError } from "../exit.ts";
import { duration, type Globals } from "../globals.ts";
import type { Io } from "../io.ts";

export function addTokenCommands(program: Command, io: Io): void {
  program
    .command("token")
    .description("tokens for a server whose secret is at hand")
    .command("mint")
    .description(
      "print a token, signed with AUTH_SECRET, or with the development key that lies beside the database, " +
        "by the environment or the .env file; AUTH_ISSUER and AUTH_AUDIENCE go into it where they are set",
    )
    .requiredOption("--sub <subject>", "whose token it is")
    .requiredOption("--scope <scopes>", 'what it permits, as "users:read users:write streams"')
    .addOption(
      new Option("--ttl <duration>", "how long it is valid, as 30m, 1h or 7d")
        .argParser(duration)
        .default(3_600_000, "1h"),
    )
    .action(async ({ sub, scope, ttl }: { sub: string; scope: string; ttl: number }, command: Command) => {
      const token = await mint(io, sub, scope, ttl);
      io.stdout.write(`${command.optsWithGlobals<Globals>().json ? JSON.stringify({ token }) : token}\n`);
    });
}

async function mint({ env, rootDir }: Io, subject: string, scope: string, ttlMs: number): Promise<string> {
  if (subject === "") throw new UsageError("--sub must not be empty");
  if (ttlMs < 1_000) throw new UsageError("--ttl must be a second or more");
  // Loaded here, since only this command needs it.
  const server = await import("@rollcall/server/tokens");
  const { ConfigError, DevelopmentKeyError, loadDevelopmentKey, mintToken, parseTokenSettings, readEnvFile } = server;
  const scopes = scopesOf(scope, server.SCOPES);
  const read = () => {
    try {
      const sources = { rootDir, readFile: (path: string) => readFileSync(path, "utf8") };
      const { auth, developmentKeyPath } = parseTokenSettings(
        { ...readEnvFile(join(rootDir, ".env")), ...env },
        sources,
      );
      if (auth.keys && !("secret" in auth.keys)) {
        throw new UsageError("AUTH_JWKS_URL: the identity provider mints the tokens of this server");
      }
      return { auth, secret: auth.keys?.secret ?? loadDevelopmentKey(existingKeyFile(developmentKeyPath)) };
    } catch (error) {
      const isFileFault = error instanceof ConfigError || error instanceof DevelopmentKeyError;
      throw isFileFault ? new UsageError(error.message, { cause: error }) : error;
    }
  };
  const { auth, secret } = read();
  return mintToken({
    secret,
    subject,
    scopes,
    ttlSeconds: Math.floor(ttlMs / 1_000),
    issuer: auth.issuer,
    audience: auth.audience,
  });
}

/** Reads scopes separated by spaces. @throws UsageError for one that no method requires, or none. */
function scopesOf(list: string, known: readonly string[]): string[] {
  const scopes = list.split(/\s+/).filter((name) => name !== "");
  const unknown = scopes.filter((name) => !known.includes(name)).map((name) => JSON.stringify(name));
  if (scopes.length > 0 && unknown.length === 0) return [...new Set(scopes)];
  const problem = unknown.length > 0 ? `there is no scope ${unknown.join(", ")}` : "a scope is missing";
  throw new UsageError(`--scope: ${problem}; there are ${known.join(", ")}, with spaces between them`);
}

/** @throws UsageError if no server has created a key yet. */
function existingKeyFile(path: string | undefined): string {
  if (path === undefined) {
    throw new UsageError("DATABASE_URL: a server with its database in memory keeps its key to itself; set AUTH_SECRET");
  }
  if (existsSync(path)) return path;
  throw new UsageError(`no key to sign with: set AUTH_SECRET, or start the server, which makes ${path}`);
}

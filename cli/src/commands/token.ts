import { join } from "node:path";
import { ConfigError } from "@rollcall/shared/settings/config-error";
import { DevelopmentKeyError } from "@rollcall/shared/settings/development-key";
import { readEnvFile } from "@rollcall/shared/settings/env-file";
import { type Command, Option } from "commander";
import { UsageError } from "../exit.ts";
import { duration, type Globals } from "../globals.ts";
import type { Io } from "../io.ts";
import { RequiredOption } from "../required-option.ts";
import { SCOPES } from "../scopes.ts";

export function addTokenCommands(program: Command, io: Io): void {
  program
    .command("token")
    .description("make tokens for a server whose secret is at hand")
    .command("mint")
    .summary("print a token, signed with the server's secret")
    .description(
      "print a token, signed with AUTH_SECRET, or with the development key beside the database, as the " +
        "environment or the .env file says; AUTH_ISSUER and AUTH_AUDIENCE go into it where they are set",
    )
    .addOption(new RequiredOption("--sub <subject>", "whose token it is"))
    .addOption(
      new RequiredOption(
        "--scope <scopes>",
        `what it permits, one or more with spaces between them: ${SCOPES.join(" ")}`,
      ),
    )
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
  // Loaded here, since only this command signs tokens.
  const { mintTokenBySettings, TokenRequestError } = await import("@rollcall/shared/settings/mint-by-settings");
  try {
    const settings = { ...readEnvFile(join(rootDir, ".env")), ...env };
    return await mintTokenBySettings({ subject, scope, ttlMs }, { env: settings, rootDir, scopes: SCOPES });
  } catch (error) {
    const isKnown = [TokenRequestError, ConfigError, DevelopmentKeyError].some((kind) => error instanceof kind);
    throw isKnown ? new UsageError((error as Error).message, { cause: error }) : error;
  }
}

import { ConfigError } from "@rollcall/shared/settings/config-error";
import { DevelopmentKeyError } from "@rollcall/shared/settings/development-key";
import { mintTokenBySettings, TokenRequestError } from "@rollcall/shared/settings/mint-by-settings";
import { CopyError } from "../repository/copy-directory.ts";
import { DatabaseOpenError } from "../repository/database-open.ts";
import { SCOPES } from "../rpc/auth/permissions.ts";
import { backUp, restore } from "./backup.ts";
import { checkConfig } from "./check-config.ts";
import { copy } from "./copy.ts";
import { DoctorError, doctor } from "./doctor.ts";
import { HealthError, healthcheck } from "./healthcheck.ts";
import type { CommandIo } from "./io.ts";
import type { ServerCommand } from "./parse-command.ts";
import { CommandUsageError } from "./usage-error.ts";

/** Commands that end, and need the environment. */
type EndingCommand = Exclude<ServerCommand, { name: "serve" | "help" | "version" }>;

/** Runs a command. Resolves with the exit code. */
export async function runCommand(command: EndingCommand, io: CommandIo): Promise<number> {
  try {
    await run(command, io);
    return 0;
  } catch (error) {
    if (io.signal.aborted) {
      io.stderr.write("rollcall-server: canceled; nothing was kept\n");
      return 130;
    }
    if (error instanceof ConfigError) {
      io.stderr.write(`${error.message}\n`);
      return 2;
    }
    const isUsage = [CommandUsageError, TokenRequestError, DevelopmentKeyError].some((kind) => error instanceof kind);
    if (!isUsage && !FAILURES.some((kind) => error instanceof kind)) throw error;
    io.stderr.write(`rollcall-server: ${(error as Error).message}\n`);
    return isUsage ? 2 : 1;
  }
}

const FAILURES = [DatabaseOpenError, CopyError, DoctorError, HealthError];

async function run(command: EndingCommand, io: CommandIo): Promise<void> {
  switch (command.name) {
    case "check-config":
      return checkConfig(io);
    case "doctor":
      return await doctor(io);
    case "healthcheck":
      return await healthcheck(io);
    case "backup":
      return await backUp(command.file, io);
    case "restore":
      return await restore(command.file, io);
    case "copy":
      return await copy(command.from, command.to, io);
    case "token mint":
      io.stdout.write(`${await mintTokenBySettings(command, { ...io, scopes: SCOPES })}\n`);
  }
}

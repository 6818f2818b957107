import packageJson from "../../package.json" with { type: "json" };
import { ConfigError } from "../config/config-error.ts";
import { CopyError } from "../repository/copy-directory.ts";
import { DatabaseOpenError } from "../repository/database-open.ts";
import { backUp, restore } from "./backup.ts";
import { copy } from "./copy.ts";
import type { CommandIo } from "./io.ts";
import { type ServerCommand, USAGE } from "./parse-command.ts";

/** Runs a command other than `serve`. Resolves with the exit code. */
export async function runCommand(command: Exclude<ServerCommand, { name: "serve" }>, io: CommandIo): Promise<number> {
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
    if (!(error instanceof DatabaseOpenError || error instanceof CopyError)) throw error;
    io.stderr.write(`rollcall-server: ${error.message}\n`);
    return 1;
  }
}

async function run(command: Exclude<ServerCommand, { name: "serve" }>, io: CommandIo): Promise<void> {
  switch (command.name) {
    case "help":
      io.stdout.write(USAGE);
      return;
    case "version":
      io.stdout.write(`${packageJson.version}\n`);
      return;
    case "backup":
      return await backUp(command.file, io);
    case "restore":
      return await restore(command.file, io);
    case "copy":
      return await copy(command.from, command.to, io);
  }
}

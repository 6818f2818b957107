import { withoutTokens } from "@rollcall/client";
import { Command, CommanderError } from "commander";
import packageJson from "../package.json" with { type: "json" };
import { checkArguments } from "./arguments.ts";
import { addCallCommand } from "./commands/call.ts";
import { addCompletionCommands } from "./commands/completion.ts";
import { addHelpCommand } from "./commands/help.ts";
import { addStreamCommands } from "./commands/streams.ts";
import { addTokenCommands } from "./commands/token.ts";
import { addUsersCommands } from "./commands/users.ts";
import { Exit, InterruptedError, PartlyDoneError, UsageError } from "./exit.ts";
import { addGlobalOptions } from "./globals.ts";
import type { Io } from "./io.ts";
import { type ErrorReport, reportOf, reportText } from "./output.ts";
import { checkRequiredOptions } from "./required-option.ts";

/** Runs `rollcall` with these arguments. Resolves with the exit code, and never rejects. */
export async function runCommandLine(args: readonly string[], io: Io): Promise<number> {
  const isJson = args.includes("--json");
  const program = createProgram(io, isJson);
  const writeError = (report: ErrorReport) => {
    const text = isJson ? JSON.stringify({ error: report }) : `rollcall: ${reportText(report)}`;
    io.stderr.write(`${withoutTokens(text)}\n`);
  };
  try {
    checkArguments(args);
    await program.parseAsync(args, { from: "user" });
    return Exit.done;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return Exit.done;
      // In text mode the parser has written its message itself.
      if (isJson) writeError({ code: undefined, message: usageMessage(error), violations: [] });
      return Exit.usage;
    }
    if (error instanceof PartlyDoneError) return Exit.refused;
    writeError(reportOf(error));
    if (error instanceof UsageError) return Exit.usage;
    return error instanceof InterruptedError ? Exit.interrupted : Exit.refused;
  }
}

function usageMessage({ code, message }: CommanderError): string {
  return code === "commander.help" ? "a command is missing" : message.replace(/^error: /, "");
}

function createProgram(io: Io, isJson: boolean): Command {
  const program = new Command("rollcall")
    .description("The user directory and its streams, from a terminal.")
    .version(packageJson.version)
    .exitOverride()
    .hook("preAction", (_program, command) => checkRequiredOptions(command))
    .showHelpAfterError("(add --help for what there is)")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => isJson || io.stderr.write(withoutTokens(text)),
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
    })
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 the server refused or can't be reached, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM.",
    );
  addGlobalOptions(program);
  addUsersCommands(program, io);
  addStreamCommands(program, io);
  addTokenCommands(program, io);
  addCallCommand(program, io);
  addCompletionCommands(program, io);
  addHelpCommand(program);
  return program;
}

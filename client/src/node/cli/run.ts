import { Command, CommanderError } from "commander";
import { addStreamCommands } from "./commands/streams.ts";
import { addTokenCommands } from "./commands/token.ts";
import { addUsersCommands } from "./commands/users.ts";
import { Exit, InterruptedError, PartlyDoneError, UsageError } from "./exit.ts";
import { addGlobalOptions } from "./globals.ts";
import type { Io } from "./io.ts";
import { reportOf, reportText } from "./output.ts";

/** Runs `rollcall` with these arguments and resolves with its exit code; it never throws. */
export async function runCommandLine(args: readonly string[], io: Io): Promise<number> {
  const program = createProgram(io);
  try {
    await program.parseAsync(args, { from: "user" });
    return Exit.done;
  } catch (error) {
    // It has written its message itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.done : Exit.usage;
    if (error instanceof PartlyDoneError) return Exit.refused;
    const isJson = program.opts<{ json?: boolean }>().json === true;
    const report = reportOf(error);
    io.stderr.write(isJson ? `${JSON.stringify({ error: report })}\n` : `rollcall: ${reportText(report)}\n`);
    if (error instanceof UsageError) return Exit.usage;
    return error instanceof InterruptedError ? Exit.interrupted : Exit.refused;
  }
}

function createProgram(io: Io): Command {
  const program = new Command("rollcall")
    .description("The user directory and its streams, from a terminal.")
    .exitOverride()
    .showHelpAfterError("(add --help for what there is)")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
    })
    .addHelpText("after", "\nExit codes: 0 done, 1 the server refused or can't be reached, 2 wrong usage, 130 Ctrl-C.");
  addGlobalOptions(program);
  addUsersCommands(program, io);
  addStreamCommands(program, io);
  addTokenCommands(program, io);
  return program;
}

import { Argument, type Command } from "commander";
import { candidatesFor } from "../completion/candidates.ts";
import { completionScripts } from "../completion/scripts.ts";
import type { Globals } from "../globals.ts";
import type { Io } from "../io.ts";
import { methodNames, shortMethodNames } from "../methods.ts";

export function addCompletionCommands(program: Command, io: Io): void {
  program
    .command("completion")
    .summary("print a script that adds completion to a shell")
    .description(
      'print a script that adds completion to a shell: eval "$(rollcall completion bash)", and likewise in zsh; ' +
        "in fish, rollcall completion fish | source",
    )
    .addArgument(new Argument("<shell>").choices(Object.keys(completionScripts)))
    .action((shell: keyof typeof completionScripts, _options, command: Command) => {
      const script = completionScripts[shell];
      io.stdout.write(command.optsWithGlobals<Globals>().json ? `${JSON.stringify({ script })}\n` : script);
    });

  // A command for those scripts.
  program
    .command("complete", { hidden: true })
    .argument("[words...]")
    .action((words: string[]) => {
      const candidates = candidatesFor(program, words, { method: methodNames }, { method: shortMethodNames });
      for (const { word, description } of candidates) {
        io.stdout.write(`${word}\t${description.split("\n", 1)}\n`);
      }
    });
}

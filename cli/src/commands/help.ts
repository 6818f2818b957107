import type { Command } from "commander";

/** Adds `help`, which shows the help of a command at any depth. The parser's own looks at the first name alone. */
export function addHelpCommand(program: Command): void {
  program
    .command("help")
    .description("show the help of a command, such as users create")
    .argument("[command...]", "the command's names, from the outermost one")
    .action(async (names: string[]) => {
      let command = program;
      for (const name of names) {
        // The words behind a command without others in it are its arguments.
        if (command.commands.length === 0) break;
        const next = command.commands.find((each) => each.name() === name);
        // The parser reports an unknown command, and suggests the one that may be meant.
        if (!next) await command.parseAsync([name], { from: "user" });
        else command = next;
      }
      command.help();
    });
}

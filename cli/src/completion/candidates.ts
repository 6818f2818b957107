import type { Command, Option } from "commander";

/** A word that may come next. */
export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/**
 * Returns the words that can follow, for a shell: commands, options, and values if they are known. Returns none where
 * the shell should complete file names.
 *
 * @param words Words after the command's own name; the last one is unfinished, and may be empty.
 * @param values Values of arguments, by the argument's name.
 * @param shortValues Shorter forms of them, offered where a word is the beginning of no other value.
 */
export function candidatesFor(
  program: Command,
  words: readonly string[],
  values: Readonly<Record<string, readonly string[]>>,
  shortValues: Readonly<Record<string, readonly string[]>> = {},
): Candidate[] {
  // Bash makes a word of the `=` between an option and its value.
  const last = words.at(-1)?.replace(/^=$/, "") ?? "";
  const [chain, operands, awaiting] = walk(program, words.slice(0, -1));
  const command = chain.at(-1) ?? program;
  const candidates = () => {
    if (awaiting) return (awaiting.argChoices ?? []).map((word) => ({ word, description: "" }));
    const [, long] = /^(--[^=]+)=/.exec(last) ?? [];
    if (long !== undefined) {
      const choices = optionCalled(chain, long)?.argChoices ?? [];
      return choices.map((word) => ({ word: `${long}=${word}`, description: "" }));
    }
    if (last.startsWith("-")) return chain.toReversed().flatMap(optionsOf);
    if (command.commands.length > 0) return commandsOf(command);
    const argument = command.registeredArguments[operands];
    const name = argument?.name() ?? "";
    const known = argument?.argChoices ?? values[name] ?? [];
    const isBegun = known.some((word) => word.startsWith(last));
    return (isBegun ? known : (shortValues[name] ?? [])).map((word) => ({ word, description: "" }));
  };
  const byWord = new Map(candidates().map((candidate) => [candidate.word, candidate]));
  return [...byWord.values()].filter(({ word }) => word.startsWith(last));
}

/** Follows finished words: the commands, the number of operands of the last one, and an option that needs its value. */
function walk(program: Command, words: readonly string[]): [Command[], number, Option | undefined] {
  const chain = [program];
  let operands = 0;
  let awaiting: Option | undefined;
  for (const word of words) {
    if (awaiting) {
      if (word !== "=") awaiting = undefined;
      continue;
    }
    const option = optionCalled(chain, word);
    if (option?.required) awaiting = option;
    // The names behind `help` are those of commands.
    if (word.startsWith("-") || (word === "help" && chain.at(-1)?.commands.length)) continue;
    const next = chain.at(-1)?.commands.find((each) => each.name() === word);
    if (next) chain.push(next);
    else operands += 1;
  }
  return [chain, operands, awaiting];
}

function optionCalled(chain: readonly Command[], word: string): Option | undefined {
  return chain.flatMap(({ options }) => options).find(({ long, short }) => word === long || word === short);
}

function optionsOf(command: Command): Candidate[] {
  const visible = command.createHelp().visibleOptions(command);
  return visible.flatMap(({ long, description }) => (long ? [{ word: long, description }] : []));
}

function commandsOf(command: Command): Candidate[] {
  const visible = command.createHelp().visibleCommands(command);
  return visible.map((each) => ({ word: each.name(), description: each.description() }));
}

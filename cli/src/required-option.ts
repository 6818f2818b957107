import { type Command, Option } from "commander";

/**
 * Option that must be given. Unlike the parser's own, it is checked after the other arguments, so that a mistyped
 * `--emial` is reported rather than the missing `--email`.
 */
export class RequiredOption extends Option {
  constructor(flags: string, description: string) {
    super(flags, `${description} (required)`);
  }
}

/** Ends the command with the parser's error unless it has all its required options. */
export function checkRequiredOptions(command: Command): void {
  for (const option of command.options) {
    if (option instanceof RequiredOption && command.getOptionValue(option.attributeName()) === undefined) {
      command.error(`error: required option '${option.flags}' not specified`);
    }
  }
}

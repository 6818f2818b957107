/**
 * Settings are wrong. The message lists every problem on a line of its own, with the variable's name or the line of the
 * file.
 */
export class ConfigError extends Error {
  override name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

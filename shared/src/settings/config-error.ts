/**
 * Settings are wrong. The message lists every problem, one a line, with the variable's name or the line of the file.
 */
export class ConfigError extends Error {
  override name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

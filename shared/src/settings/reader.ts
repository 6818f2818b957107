import { parseDuration, parseSize } from "../units.ts";

/** Setting with a number: its default, and the bounds of accepted values. */
export interface Setting {
  readonly byDefault: number;
  readonly min: number;
  readonly max: number;
}

export type Env = Readonly<Record<string, string | undefined>>;

/** Reads settings by name. A wrong value is reported as a problem and replaced by the default. */
export type Reader = ReturnType<typeof createReader>;

/** Creates a reader of the variables in `env`, where an empty one counts as not set. It adds to `problems`. */
export function createReader(env: Env, problems: string[]) {
  const names = new Set<string>();
  const text = (name: string): string | undefined => {
    names.add(name);
    return env[name]?.trim() || undefined;
  };
  const number = (
    name: string,
    { byDefault, min, max }: Setting,
    expected: string,
    parse: (value: string) => number | undefined = () => undefined,
  ): number => {
    const value = text(name);
    if (value === undefined) return byDefault;
    const read = /^\d{1,16}$/.test(value) ? Number(value) : parse(value);
    if (read !== undefined && read >= min && read <= max) return read;
    problems.push(`${name}: must be ${expected}`);
    return byDefault;
  };
  return {
    /** Names that have been read. */
    names,
    text,
    integer(name: string, setting: Setting): number {
      return number(name, setting, `a whole number from ${setting.min} to ${setting.max}`);
    },
    /** Reads a size in bytes, with or without a unit. */
    bytes(name: string, setting: Setting): number {
      const examples = "4194304, 4MiB (1024 × 1024 each) or 10MB (1000 × 1000)";
      return number(
        name,
        setting,
        `a size from ${setting.min} to ${setting.max} bytes, such as ${examples}`,
        parseSize,
      );
    },
    /** Reads a time in milliseconds, with or without a unit. */
    milliseconds(name: string, setting: Setting): number {
      const expected = `a time from ${setting.min} to ${setting.max} milliseconds, such as 30000, 500ms, 30s, 5m or 1h`;
      return number(name, setting, expected, parseDuration);
    },
    choice(name: string, choices: readonly string[], byDefault: string): string {
      const value = text(name) ?? byDefault;
      if (!choices.includes(value)) problems.push(`${name}: must be one of ${choices.join(", ")}`);
      return value;
    },
    /** Reads the entries of a comma-separated list. */
    list(name: string): string[] {
      const entries = (text(name) ?? "").split(",").map((entry) => entry.trim());
      return entries.filter((entry) => entry !== "");
    },
  };
}

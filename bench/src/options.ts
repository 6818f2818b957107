import { parseArgs } from "node:util";

/** Options of the command line. */
export interface Options {
  readonly rounds: number;
  readonly seconds: number;
  /** Parts of names of workloads; empty for all. */
  readonly only: readonly string[];
  /** Names, or parts of names, of contestants; empty for all. */
  readonly contestants: readonly string[];
  /** Whether to write results/latest.json and the chart: only a whole run's are worth keeping. */
  readonly keeps: boolean;
}

export const USAGE = `Usage: pnpm bench [--quick] [--rounds N] [--seconds N] [--only WORDS] [--contestants WORDS] [--keep]
  --quick              one round of one second, instead of five of three
  --only WORDS         workloads whose names have one of the words, separated by commas
  --contestants WORDS  contestants of that name, else all whose names have the word
  --keep               writes bench/results/latest.json and the chart; a run of everything does anyway`;

/** Reads the command line. @throws Error that says what is wrong with it. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      seconds: { type: "string" },
      only: { type: "string", default: "" },
      contestants: { type: "string", default: "" },
      keep: { type: "boolean", default: false },
    },
  });
  const only = wordsOf(values.only);
  const contestants = wordsOf(values.contestants);
  return {
    rounds: parseCount("--rounds", values.rounds) ?? (values.quick ? 1 : 5),
    seconds: parseCount("--seconds", values.seconds) ?? (values.quick ? 1 : 3),
    only,
    contestants,
    keeps: values.keep || (!values.quick && only.length === 0 && contestants.length === 0),
  };
}

/** Picks by exact name where there is one, else by part of the name; all for no words. @throws Error for a word without a match. */
export function pick(names: readonly string[], words: readonly string[]): ReadonlySet<string> {
  if (words.length === 0) return new Set(names);
  return new Set(
    words.flatMap((word) => {
      const matches = names.includes(word) ? [word] : names.filter((name) => name.includes(word));
      if (matches.length === 0) throw new Error(`nothing is named ${word}; there are: ${names.join(", ")}`);
      return matches;
    }),
  );
}

function wordsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

function parseCount(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 1_000)
    throw new Error(`${name}: must be a number from 1 to 1000`);
  return count;
}

import { parseArgs } from "node:util";

/** Options of the command line. */
export interface Options {
  readonly rounds: number;
  /** Length of a round, in seconds. */
  readonly seconds: number;
  /** Length of the load before the first round, in seconds. */
  readonly warmUpSeconds: number;
  /** Parts of names of workloads; empty for all. */
  readonly only: readonly string[];
  /** Names, or parts of names, of contestants; empty for all. */
  readonly contestants: readonly string[];
  /** Whether to write results/latest.json and the documents. Only those of a complete run are worth keeping. */
  readonly keeps: boolean;
  /** Whether to write only the documents, from the last saved run. */
  readonly publishes: boolean;
  /** Whether to show where the server spends its time, instead of comparing it. */
  readonly profiles: boolean;
}

export const USAGE = `Usage: pnpm bench [--quick] [--rounds N] [--seconds N] [--only WORDS] [--contestants WORDS] [--keep]
       pnpm bench --publish | --profile
  --quick              one round of a second, instead of five of one and a half
  --only WORDS         workloads whose names have one of the words, separated by commas
  --contestants WORDS  contestants of that name, else all whose names have the word
  --keep               writes bench/results/latest.json, docs/speed.md, the chart, and the README's section on speed;
                       a run of everything does anyway
  --publish            measures nothing, and writes these documents from bench/results/latest.json
  --profile            shows where the time of Rollcall's GetUser goes, by folder and package, and compares nothing`;

/** Parses the command line. @throws Error that describes the fault. */
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
      publish: { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
    },
  });
  const only = wordsOf(values.only);
  const contestants = wordsOf(values.contestants);
  return {
    rounds: parseCount("--rounds", values.rounds) ?? (values.quick ? 1 : 5),
    seconds: parseNumber("--seconds", values.seconds) ?? (values.quick ? 1 : 1.5),
    warmUpSeconds: values.quick ? 1 : 2,
    only,
    contestants,
    keeps: values.keep || (!values.quick && only.length === 0 && contestants.length === 0),
    publishes: values.publish,
    profiles: values.profile,
  };
}

/**
 * Picks names that are equal to a word or, if there are none, contain it; all names if there are no words.
 *
 * @throws Error for a word without a match.
 */
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

function parseNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!(number >= 1 && number <= 1_000)) throw new Error(`${name}: must be a number from 1 to 1000`);
  return number;
}

function parseCount(name: string, text: string | undefined): number | undefined {
  const count = parseNumber(name, text);
  if (count !== undefined && !Number.isInteger(count)) throw new Error(`${name}: must be a whole number`);
  return count;
}

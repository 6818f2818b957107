import { lstatSync, readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { ConfigError } from "./config-error.ts";

/** Largest file, in bytes: far more than settings need. */
const MAX_BYTES = 1024 ** 2;

const ASSIGNMENT = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=(.*)$/;
const BLANK_OR_COMMENT = /^[ \t]*(?:#.*)?$/;
const SECRET = /SECRET|TOKEN|PASSWORD/;

/**
 * Reads a file of settings, such as `.env`. Returns nothing if there is no file. Variables of the environment take
 * precedence over the file's.
 *
 * @throws ConfigError for a file that can't be read, and for lines, as {@link parseEnvFile} does.
 */
export function readEnvFile(path: string): Record<string, string> {
  const name = basename(path);
  const refuse = (problem: string) => new ConfigError([`${name}: ${problem}`]);
  try {
    // A link that leads nowhere is not a missing file.
    if (!lstatSync(path, { throwIfNoEntry: false })) return {};
    const stats = statSync(path);
    if (stats.isDirectory()) throw refuse("is a folder; it must be a file, or not there");
    if (stats.size > MAX_BYTES) throw refuse(`is larger than ${MAX_BYTES} bytes`);
    return parseEnvFile(readFileSync(path), name);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw refuse(`can't be read (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
  }
}

/**
 * Parses the lines of such a file: comments, and `NAME=value` or `export NAME=value`, with or without matching quotes
 * around the value. Reads them like Node.js, except that it skips a byte order mark. Refuses lines that Node.js would
 * silently drop or cut, by number. Errors quote only the variable of a line, since the rest may be a secret.
 *
 * @param name Name of the file, for the error.
 * @throws ConfigError with every line that can't be read, or that could be read in two ways.
 */
export function parseEnvFile(bytes: Uint8Array, name: string): Record<string, string> {
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\n|\r/);
  const binaryLine = lines.findIndex((line) => /[\0\ufffd]/.test(line));
  if (binaryLine >= 0) throw new ConfigError([`${name} line ${binaryLine + 1}: is not UTF-8; save the file as UTF-8`]);
  const values = new Map<string, string>();
  const lineOf = new Map<string, number>();
  const problems: string[] = [];
  for (const [index, line] of lines.entries()) {
    if (BLANK_OR_COMMENT.test(line)) continue;
    const [, variable, text = ""] = ASSIGNMENT.exec(line) ?? [];
    const number = index + 1;
    const refuse = (problem: string) => problems.push(`${name} line ${number}: ${problem}`);
    if (variable === undefined) {
      refuse("is no assignment; write NAME=value, or # before a comment");
      continue;
    }
    const value = readValue(text, SECRET.test(variable));
    const earlier = lineOf.get(variable);
    if (earlier !== undefined) refuse(`${variable} is set in line ${earlier} already`);
    else if (typeof value !== "string") refuse(`${variable}: ${value.problem}`);
    else values.set(variable, value);
    lineOf.set(variable, number);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.fromEntries(values);
}

/** Reads the text after the equals sign. */
function readValue(text: string, isSecret: boolean): string | { problem: string } {
  const [, quote, afterQuote = ""] = /^[ \t]*(["'`])(.*)$/.exec(text) ?? [];
  if (quote !== undefined) {
    const end = afterQuote.indexOf(quote);
    if (end < 0) return { problem: "the quote is not closed in its line" };
    if (!BLANK_OR_COMMENT.test(afterQuote.slice(end + 1))) return { problem: "more follows the closing quote" };
    const value = afterQuote.slice(0, end);
    return quote === '"' ? value.replaceAll("\\n", "\n") : value;
  }
  if (/[^\S \t]/.test(text)) return { problem: "a value with an unusual space in it must be in quotes" };
  if (isSecret && text.includes("#")) return { problem: "a secret with a # in it must be in quotes" };
  // Programs differ on where a comment begins: some cut at the first #, others only at one after a space.
  if (/^#|[^ \t]#/.test(text)) {
    return { problem: "a value with a # in it must be in quotes, and a comment must have a space before it" };
  }
  return text.replace(/#.*$/, "").trim();
}

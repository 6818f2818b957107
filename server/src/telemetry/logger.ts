import { type Logger, pino } from "pino";

/**
 * What JSON leaves as it is, though a terminal or an editor acts on it: DEL and C1
 * controls, line separators, and the marks that turn the direction of text.
 */
const DECEPTIVE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** A text as it stands in such a line, with its quotes. */
export function toJsonText(text: string): string {
  return JSON.stringify(text).replace(DECEPTIVE, toEscape);
}

function toEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** JSON lines in which nothing that a caller sent can look like something else. */
export function createLogger(level: string, output: { write(line: string): unknown }): Logger {
  return pino(
    {
      level,
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: { streamWrite: (line) => line.replace(DECEPTIVE, toEscape) },
    },
    { write: (line) => output.write(line) },
  );
}

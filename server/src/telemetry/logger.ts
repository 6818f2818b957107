import { type Logger, pino } from "pino";

/**
 * Characters that JSON leaves unescaped, but that terminals or editors interpret: DEL and C1 controls, line separators,
 * and marks that change the direction of text.
 */
const DECEPTIVE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Texts that JSON writes without escapes: printable ASCII except the quote and the backslash. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** Returns a text as it appears in a log line, with its quotes. */
export function toJsonText(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text).replace(DECEPTIVE, toEscape);
}

function toEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Creates a logger of JSON lines. Text from a caller can't be mistaken for another line or field. */
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

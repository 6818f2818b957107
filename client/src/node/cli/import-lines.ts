import { createReadStream } from "node:fs";
import { continuesField, csvFields, leavesFieldOpen } from "./csv-fields.ts";
import { UsageError } from "./exit.ts";
import { linesOf } from "./lines.ts";

/** Where a user stands in a file; a CSV record may take several lines. Lines count from 1. */
export interface LineRange {
  readonly line: number;
  readonly lastLine: number;
}

/** A user that a file names, or what is wrong with a line of it. */
export type ImportLine = LineRange & ({ readonly email: string; readonly name: string } | { readonly problem: string });

export type ImportFormat = "csv" | "jsonl";

/** More than any user can have in its line. */
const MAX_RECORD_BYTES = 64 * 1_024;
const NOT_CLOSED = "has a quote that is not closed";
const TOO_LONG = "is longer than 64 KiB";

/**
 * Reads a file line by line, no faster than its lines are taken.
 *
 * @throws UsageError when the file's columns are not named.
 */
export function readImportFile(path: string, format: ImportFormat): AsyncGenerator<ImportLine> {
  const lines = linesOf(createReadStream(path), MAX_RECORD_BYTES);
  return format === "csv" ? readCsv(lines) : readJsonLines(lines);
}

type Lines = AsyncGenerator<string | undefined>;

/** JSON Lines: an object with `email` and `name` a line. Empty lines are left out. */
async function* readJsonLines(lines: Lines): AsyncGenerator<ImportLine> {
  let line = 0;
  for await (const text of lines) {
    line += 1;
    const range = { line, lastLine: line };
    if (text === undefined) yield { ...range, problem: TOO_LONG };
    else if (text.trim() !== "") yield parseJsonLine(range, text);
  }
}

function parseJsonLine(range: LineRange, text: string): ImportLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ...range, problem: "is not JSON" };
  }
  if (typeof value !== "object" || value === null) return { ...range, problem: "is not an object" };
  const { email, name } = value as Record<string, unknown>;
  return toImportLine(range, email, name);
}

/**
 * CSV (RFC 4180) whose first line names the columns `email` and `name`; other columns
 * and empty lines are left out.
 */
async function* readCsv(lines: Lines): AsyncGenerator<ImportLine> {
  let columns: { email: number; name: number } | undefined;
  for await (const { range, fields, problem } of readCsvRecords(lines)) {
    if (!columns) columns = findColumns(fields ?? []);
    else if (fields) yield toImportLine(range, fields[columns.email], fields[columns.name]);
    else yield { ...range, problem };
  }
  if (!columns) findColumns([]);
}

function findColumns(fields: readonly string[]): { email: number; name: number } {
  const names = fields.map((field) => field.trim().toLowerCase());
  const columns = { email: names.indexOf("email"), name: names.indexOf("name") };
  if (columns.email !== -1 && columns.name !== -1) return columns;
  throw new UsageError("the first line of a CSV file must name the columns email and name");
}

type CsvRecord = { range: LineRange } & (
  | { fields: readonly string[]; problem?: undefined }
  | { fields?: undefined; problem: string }
);

/** A record that goes on with the next line. */
interface OpenRecord {
  readonly line: number;
  readonly length: number;
  readonly fields: string[];
  /** The lines of its last field. */
  readonly texts: string[];
}

async function* readCsvRecords(lines: Lines): AsyncGenerator<CsvRecord> {
  let number = 0;
  let open: OpenRecord | undefined;
  for await (const text of lines) {
    number += 1;
    if (open && text !== undefined && !continuesField(text)) {
      // The quote was a stray one: this line is a record of its own.
      yield { range: { line: open.line, lastLine: number - 1 }, problem: NOT_CLOSED };
      open = undefined;
    }
    if (!open && text?.trim() === "") continue;
    const wasOpen = open !== undefined;
    const { line, length, fields, texts }: OpenRecord = open ?? { line: number, length: 0, fields: [], texts: [] };
    const range = { line, lastLine: number };
    open = undefined;
    if (text === undefined || length + text.length > MAX_RECORD_BYTES) {
      yield { range, problem: TOO_LONG };
      continue;
    }
    texts.push(text);
    const next = { line, length: length + text.length + 1, fields };
    if (wasOpen && leavesFieldOpen(text)) {
      open = { ...next, texts };
      continue;
    }
    const parsed = csvFields(texts.join("\n"));
    fields.push(...parsed.fields);
    if (parsed.open === undefined) yield { range, fields };
    else open = { ...next, texts: [parsed.open] };
  }
  if (open) yield { range: { line: open.line, lastLine: number }, problem: NOT_CLOSED };
}

function toImportLine(range: LineRange, email: unknown, name: unknown): ImportLine {
  if (typeof email !== "string") return { ...range, problem: "has no email" };
  if (typeof name !== "string") return { ...range, problem: "has no name" };
  return { ...range, email, name };
}

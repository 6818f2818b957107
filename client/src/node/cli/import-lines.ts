import { createReadStream, type ReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream";
import { type CsvError, parse } from "csv-parse";

/** A user that a file names, or what is wrong with a line of it. */
export type ImportLine =
  | { readonly line: number; readonly email: string; readonly name: string }
  | { readonly line: number; readonly problem: string };

export type ImportFormat = "csv" | "jsonl";

/** More than any user can have in its line. */
const MAX_RECORD_BYTES = 64 * 1_024;

export interface ImportFile extends Disposable {
  readonly lines: AsyncGenerator<ImportLine>;
  readonly bytesRead: number;
}

/** Reads a file line by line, no faster than its lines are taken. Lines count from 1. */
export function openImportFile(path: string, format: ImportFormat): ImportFile {
  const file = createReadStream(path);
  const lines = format === "csv" ? readCsv(file) : readJsonLines(file);
  return {
    lines,
    get bytesRead() {
      return file.bytesRead;
    },
    [Symbol.dispose]: () => file.destroy(),
  };
}

/** JSON Lines: an object with `email` and `name` a line. Empty lines are left out. */
async function* readJsonLines(file: ReadStream): AsyncGenerator<ImportLine> {
  let line = 0;
  const reader = createInterface({ input: file, crlfDelay: Infinity });
  const failed = new Promise<never>((_, reject) => file.once("error", reject));
  failed.catch(() => {});
  for await (const text of reader) {
    line += 1;
    if (text.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      yield { line, problem: "is not JSON" };
      continue;
    }
    yield toLine(line, value);
  }
  if (file.errored) await failed;
}

/** CSV (RFC 4180) whose first line names the columns `email` and `name`; other columns are left out. */
async function* readCsv(file: ReadStream): AsyncGenerator<ImportLine> {
  const bad: ImportLine[] = [];
  const parser = parse({
    bom: true,
    columns: (names: string[]) => names.map((name) => name.trim().toLowerCase()),
    info: true,
    max_record_size: MAX_RECORD_BYTES,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
  });
  let lastBad = 0;
  parser.on("skip", (error: CsvError) => {
    const line = Number(error.lines);
    // What follows on a bad line is bad too.
    if (line > lastBad) bad.push({ line, problem: error.message });
    lastBad = line;
  });
  const records = pipeline(file, parser, () => {});
  for await (const { info, record } of records as AsyncIterable<{
    info: { lines: number };
    record: Record<string, string>;
  }>) {
    yield* bad.splice(0);
    // The parser counts to a record's end; it begins where its first field does.
    const lineBreaks = Object.values(record).join("").split("\n").length - 1;
    yield toLine(info.lines - lineBreaks, record);
  }
  yield* bad;
}

function toLine(line: number, value: unknown): ImportLine {
  if (typeof value !== "object" || value === null) return { line, problem: "is not an object" };
  const { email, name } = value as Record<string, unknown>;
  if (typeof email !== "string") return { line, problem: "has no email" };
  if (typeof name !== "string") return { line, problem: "has no name" };
  return { line, email, name };
}

import { continuesField, csvFields, leavesFieldOpen } from "./csv-fields.ts";
import { type Columns, findColumns } from "./csv-header.ts";
import type { FileFormat } from "./file-format.ts";
import { memberNames } from "./json-members.ts";
import { type Line, linesOf } from "./lines.ts";
import { UnreadableFileError } from "./unreadable-file-error.ts";

/** Lines of a user in a file, counted from 1. A CSV record may take several. */
export interface LineRange {
  readonly line: number;
  readonly lastLine: number;
}

/** Fields of a user, as a line gives them. */
export interface UserLine {
  readonly email: string;
  readonly name: string;
}

/** A user in the file, or the fault of a line. */
export type ImportLine = LineRange & (UserLine | { readonly problem: string });

/**
 * Returns a text that identifies a line. The line's request id is derived from it, and is therefore the same in every
 * import of the file: the server answers a repetition with the user that it created before. The line's number is a part
 * of it, so that the second of two equal lines is refused because its e-mail is taken. The line's content is too, so
 * that a corrected line has another id.
 */
export function identityOf({ line, email, name }: LineRange & UserLine): string {
  return JSON.stringify([line, email, name]);
}

/** Longest line: more than any user needs. */
const LIMIT = { bytes: 64 * 1_024, text: "64 KiB" };
const NOT_CLOSED = "has a quote that is not closed";
const TOO_LONG = `is longer than ${LIMIT.text}`;
const STRAY_CR = "has a CR that ends no line";
const CR_ALONE = "the lines of the file end with CR alone: save it with LF or CR LF";

/**
 * Reads a text line by line, no faster than its lines are taken.
 *
 * @throws UnreadableFileError when the first line shows that the whole text can't be read: it does not name the
 * columns, or the text has another encoding, other separators or other line ends.
 */
export function readImport(input: AsyncIterable<Uint8Array | string>, format: FileFormat): AsyncGenerator<ImportLine> {
  const lines = checkFirst(linesOf(input, LIMIT));
  return format === "csv" ? readCsv(lines) : readJsonLines(lines);
}

type Lines = AsyncGenerator<Line>;

/** Yields the same lines. @throws UnreadableFileError for an encoding that is not UTF-8, if the first line shows it. */
async function* checkFirst(lines: Lines): Lines {
  for await (const line of lines) {
    if (line.number === 1 && line.encoding !== undefined) throw new UnreadableFileError(`the file ${line.problem}`);
    yield line;
  }
}

/** Reads JSON Lines: on each line an object with `email` and `name`. Skips empty lines. */
async function* readJsonLines(lines: Lines): AsyncGenerator<ImportLine> {
  for await (const { number, text, problem } of lines) {
    const range = { line: number, lastLine: number };
    if (problem === undefined && text.trim() === "") continue;
    const parsed = problem === undefined ? parseJsonLine(range, text) : { ...range, problem };
    if (number === 1 && "problem" in parsed && /\}\r+\{/.test(text)) throw new UnreadableFileError(CR_ALONE);
    yield parsed;
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
  const names = memberNames(text);
  const doubled = ["email", "name"].find((member) => names.indexOf(member) !== names.lastIndexOf(member));
  if (doubled) return { ...range, problem: `has ${doubled} twice` };
  return toImportLine(range, email, name);
}

/** Reads CSV (RFC 4180) whose first line names the columns `email` and `name`. Skips other columns and empty lines. */
async function* readCsv(lines: Lines): AsyncGenerator<ImportLine> {
  let columns: Columns | undefined;
  for await (const { range, fields, problem } of readCsvRecords(lines)) {
    if (!columns) columns = readHeader(fields, problem);
    else if (problem === undefined) yield toImportLine(range, fields[columns.email], fields[columns.name]);
    else yield { ...range, problem };
  }
  if (!columns) findColumns([]);
}

/** @throws UnreadableFileError */
function readHeader(fields: readonly string[], problem: string | undefined): Columns {
  if (fields.some((field) => /\r[^\r]/.test(field))) throw new UnreadableFileError(CR_ALONE);
  if (problem !== undefined) throw new UnreadableFileError(`the first line of the CSV file ${problem}`);
  return findColumns(fields);
}

interface CsvRecord {
  readonly range: LineRange;
  /** Fields that could be read in spite of a problem. */
  readonly fields: readonly string[];
  readonly problem: string | undefined;
}

/** A record that continues on the next line. */
interface OpenRecord {
  readonly line: number;
  readonly length: number;
  readonly fields: string[];
  /** Lines of its last field. */
  readonly texts: string[];
  /** Problem of one of its lines, if there is any. */
  readonly problem: string | undefined;
}

const NOTHING_OPEN = { length: 0, problem: undefined };

async function* readCsvRecords(lines: Lines): AsyncGenerator<CsvRecord> {
  let lastLine = 0;
  let open: OpenRecord | undefined;
  for await (const { number, text, isTooLong, problem: problemOfLine } of lines) {
    lastLine = number;
    if (open && !isTooLong && !continuesField(text)) {
      // The quote was a stray one, so this line is a record of its own.
      const { line, fields, problem = NOT_CLOSED } = open;
      yield { range: { line, lastLine: number - 1 }, fields, problem };
      open = undefined;
    }
    if (!open && text.trim() === "") continue;
    const wasOpen = open !== undefined;
    const record: OpenRecord = open ?? { ...NOTHING_OPEN, line: number, fields: [], texts: [] };
    const { line, length, fields, texts } = record;
    const range = { line, lastLine: number };
    open = undefined;
    if (isTooLong || length + text.length > LIMIT.bytes) {
      yield { range, fields: [...fields, text], problem: TOO_LONG };
      continue;
    }
    texts.push(text);
    const problem = record.problem ?? problemOfLine;
    const next = { line, length: length + text.length + 1, fields, problem };
    if (wasOpen && leavesFieldOpen(text)) {
      open = { ...next, texts };
      continue;
    }
    const joined = texts.join("\n");
    const parsed = csvFields(joined);
    fields.push(...parsed.fields);
    if (parsed.open !== undefined) open = { ...next, texts: [parsed.open] };
    else yield { range, fields, problem: problem ?? (hasStrayCr(joined) ? STRAY_CR : undefined) };
  }
  if (open) yield { range: { line: open.line, lastLine }, fields: open.fields, problem: open.problem ?? NOT_CLOSED };
}

/** Returns whether a CR may hide another line. In a skipped column, that line would be lost. */
function hasStrayCr(text: string): boolean {
  return text.includes("\r") && text.replace(/"[^"]*"/g, "").includes("\r");
}

function toImportLine(range: LineRange, email: unknown, name: unknown): ImportLine {
  if (typeof email !== "string") return { ...range, problem: "has no email" };
  if (typeof name !== "string") return { ...range, problem: "has no name" };
  return { ...range, email, name };
}

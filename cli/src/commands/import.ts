import { createHash } from "node:crypto";
import type { ConnectError } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";
import { EmailTakenError, ValidationError } from "@rollcall/client";
import { counted } from "@rollcall/shared/counted";
import { startProgress, USERS } from "@rollcall/shared/progress";
import { type FileFormat, formatByExtension } from "@rollcall/shared/users-file/file-format";
import {
  type ImportLine,
  identityOf,
  type LineRange,
  readImport,
  type UserLine,
} from "@rollcall/shared/users-file/import-lines";
import { UnreadableFileError } from "@rollcall/shared/users-file/unreadable-file-error";
import { type Command, Option } from "commander";
import { countLines } from "../count-lines.ts";
import { PartlyDoneError, UsageError } from "../exit.ts";
import { type CommandCall, type Globals, integer, withClient } from "../globals.ts";
import { openInput, STANDARD_INPUT } from "../input.ts";
import type { Io } from "../io.ts";
import { type ErrorReport, reportOf, reportText } from "../output.ts";
import { patience } from "../patience.ts";

const DEFAULT_CONCURRENCY = 64;

/** Numbers of users. */
interface Counts {
  /** Users that this run created, or an earlier one of the same file. */
  created: number;
  /** Users whose e-mails are already in the directory, if `--skip-existing` allows that. */
  skipped: number;
  failed: number;
}

interface ImportOptions {
  format?: FileFormat;
  concurrency: number;
  skipExisting?: boolean;
}

export function addImportCommand(users: Command, io: Io): void {
  users
    .command("import <file>")
    .summary("add the users of a file, or of standard input (-), in CSV or JSON Lines")
    .description(
      "add the users of a file, or of standard input (-), in UTF-8: JSON Lines, as users list --all --json prints " +
        "them, or CSV with commas whose first line names the columns email and name. If the import was " +
        "interrupted, run it again within a day: it continues, and adds nobody twice",
    )
    .addOption(
      new Option("--format <name>", "format of the file (default: by its extension; standard input needs it)").choices([
        "csv",
        "jsonl",
      ]),
    )
    .option("--skip-existing", "pass over users whose e-mail is in the directory already")
    .option("--concurrency <n>", "users created at once, up to 1000", integer(1, 1_000), DEFAULT_CONCURRENCY)
    .action(async (path: string, { format = formatOf(path), ...options }: ImportOptions, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      const counts: Counts = { created: 0, skipped: 0, failed: 0 };
      await runImport({ ...options, path, format, globals, io, counts });
      io.stdout.write(globals.json ? `${JSON.stringify(counts)}\n` : `${textOf(counts)}.\n`);
      if (counts.failed > 0) throw new PartlyDoneError(`${counted(counts.failed, "user")} failed`);
    });
}

/** Runs the import and shows its progress. The bar is removed however the import ends. */
async function runImport(
  run: ImportOptions & { path: string; format: FileFormat; globals: Globals; io: Io; counts: Counts },
): Promise<void> {
  const { path, format, globals, io, counts } = run;
  const whenInterrupted = () => `canceled: ${textOf(counts)}; run it again to go on`;
  const lineCount = await countLines(path, io.signal);
  // The first line of CSV is not a user.
  const total = lineCount && lineCount - (format === "csv" ? 1 : 0);
  using progress = startProgress(io.stderr, total, USERS);
  const note = (json: unknown, text: string) => progress.note(globals.json ? JSON.stringify(json) : text);
  const writeError = (range: LineRange, report: ErrorReport) =>
    note({ ...range, ...report }, `${rangeText(range)}: ${reportText(report)}`);
  const noteWait = (error: ConnectError) =>
    note({ retry: reportOf(error) }, `trying again: ${reportText(reportOf(error))}`);
  const onDone = () => progress.update(counts.created + counts.skipped + counts.failed);
  const importAll = async (call: CommandCall) => {
    const reading = createLinkedAbortController(io.signal);
    const lines = usable(readImport(openInput(path, io, reading.signal), format));
    try {
      await importLines(lines, call, { ...run, reading, writeError, onDone });
    } catch (error) {
      const isStopped = !io.signal.aborted && !(error instanceof UsageError);
      if (isStopped) progress.note(`stopped: ${textOf(counts)}; run it again to go on`);
      throw error;
    } finally {
      reading.abort();
    }
  };
  await withClient(globals, io, whenInterrupted, importAll, patience(noteWait));
}

/** Yields the same lines. @throws UsageError for a file that can't be read at all. */
async function* usable(lines: AsyncGenerator<ImportLine>): AsyncGenerator<ImportLine> {
  try {
    yield* lines;
  } catch (error) {
    throw error instanceof UnreadableFileError ? new UsageError(error.message, { cause: error }) : error;
  }
}

function textOf({ created, skipped, failed }: Counts): string {
  return `${counted(created, "user")} created, ${skipped} skipped, ${failed} failed`;
}

interface ImportRun extends ImportOptions {
  readonly counts: Counts;
  /** Aborted to stop reading, without waiting for a slow input. */
  readonly reading: AbortController;
  writeError(range: LineRange, report: ErrorReport): void;
  onDone(): void;
}

async function importLines(
  lines: AsyncGenerator<ImportLine>,
  call: CommandCall,
  { counts, concurrency, skipExisting, reading, writeError, onDone }: ImportRun,
): Promise<void> {
  let fault: { error: unknown } | undefined;
  const work = async () => {
    while (!fault) {
      let line: ImportLine | undefined;
      try {
        // All workers take their lines from the same generator.
        const next = await lines.next();
        if (next.done) return;
        line = next.value;
        await importLine(line, call);
        counts.created += 1;
      } catch (error) {
        if (!line || !isFaultOfLine(error)) {
          fault ??= { error };
          reading.abort();
          return;
        }
        if (skipExisting && error instanceof EmailTakenError) counts.skipped += 1;
        else {
          counts.failed += 1;
          writeError({ line: line.line, lastLine: line.lastLine }, reportOf(error));
        }
      }
      onDone();
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, work));
  } finally {
    await lines.return(undefined);
  }
  if (fault) throw fault.error;
}

/** @throws LineError, or the error of the call. */
async function importLine(line: ImportLine, { client, options }: CommandCall): Promise<void> {
  if ("problem" in line) throw new LineError(isOneLine(line) ? line.problem : `the record ${line.problem}`);
  const { email, name } = line;
  await client.users.create({ email, name, requestId: requestIdOf(line) }, options);
}

function isOneLine({ line, lastLine }: LineRange): boolean {
  return line === lastLine;
}

function rangeText(range: LineRange): string {
  return isOneLine(range) ? `line ${range.line}` : `lines ${range.line} to ${range.lastLine}`;
}

class LineError extends Error {
  override name = "LineError";
}

/** Returns whether the line is at fault, so that the next line can still succeed. */
function isFaultOfLine(error: unknown): boolean {
  return error instanceof LineError || error instanceof ValidationError || error instanceof EmailTakenError;
}

/** Returns the request id of a line, the same as that of an import in the web app. */
function requestIdOf(line: LineRange & UserLine): string {
  const hash = createHash("sha256").update(identityOf(line));
  return `import:${hash.digest("base64url")}`;
}

function formatOf(path: string): FileFormat {
  if (path === STANDARD_INPUT) throw new UsageError("standard input needs --format csv or --format jsonl");
  const format = formatByExtension(path);
  if (format) return format;
  throw new UsageError("the file's format is not known by its extension: add --format csv or --format jsonl");
}

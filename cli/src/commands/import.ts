import { createHash } from "node:crypto";
import { extname } from "node:path";
import type { ConnectError } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";
import type { RetryEvent } from "@rollcall/client";
import { EmailTakenError, ValidationError } from "@rollcall/client";
import type { NodeRollcallClientOptions } from "@rollcall/client/node";
import { type ProgressUnit, startProgress } from "@rollcall/shared/progress";
import { type Command, Option } from "commander";
import { countLines } from "../count-lines.ts";
import { PartlyDoneError, UsageError } from "../exit.ts";
import { type CommandCall, type Globals, integer, withClient } from "../globals.ts";
import { type ImportFormat, type ImportLine, type LineRange, readImport } from "../import-lines.ts";
import { openInput, STANDARD_INPUT } from "../input.ts";
import type { Io } from "../io.ts";
import { type ErrorReport, reportOf, reportText } from "../output.ts";

const DEFAULT_CONCURRENCY = 64;

/** How often, at most, an import says that it waits for the server, in milliseconds. */
const WAIT_NOTE_INTERVAL_MS = 10_000;

/** Retry options with which an import outlasts a restart of the server. */
const patience = {
  timeoutMs: 60_000,
  retry: { maxAttempts: 20, initialDelayMs: 200, budget: { maxTokens: 10_000 } },
} satisfies Partial<NodeRollcallClientOptions>;

/** Numbers of users. */
interface Counts {
  /** Users that this run created, or an earlier one of the same file. */
  created: number;
  /** Users whose e-mails are in the directory already, if `--skip-existing` allows that. */
  skipped: number;
  failed: number;
}

const USERS: ProgressUnit = {
  amount: (count) => Math.round(count).toLocaleString("en"),
  amountOf: (count, total) => `${USERS.amount(count)} of ${USERS.amount(total)} users`,
};

interface ImportOptions {
  format?: ImportFormat;
  concurrency: number;
  skipExisting?: boolean;
}

export function addImportCommand(users: Command, io: Io): void {
  users
    .command("import <file>")
    .description(
      "add the users of a file, or of standard input (-), in UTF-8: JSON Lines, as users list --all --json prints " +
        "them, or CSV with commas whose first line names the columns email and name. To run it again within a day, " +
        "after whatever ended it, goes on and adds nobody twice",
    )
    .addOption(new Option("--format <name>", "default: by the file's extension").choices(["csv", "jsonl"]))
    .option("--skip-existing", "pass over users whose e-mail is in the directory already")
    .option("--concurrency <n>", "users created at once", integer(1, 1_000), DEFAULT_CONCURRENCY)
    .action(async (path: string, { format = formatOf(path), ...options }: ImportOptions, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      const counts: Counts = { created: 0, skipped: 0, failed: 0 };
      await runImport({ ...options, path, format, globals, io, counts });
      io.stdout.write(globals.json ? `${JSON.stringify(counts)}\n` : `${textOf(counts)}.\n`);
      if (counts.failed > 0) throw new PartlyDoneError(`${counts.failed} users failed`);
    });
}

/** Runs the import and shows its progress. The bar is gone when the import ends, however it ends. */
async function runImport(
  run: ImportOptions & { path: string; format: ImportFormat; globals: Globals; io: Io; counts: Counts },
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
  let waitNotedAtMs = Number.NEGATIVE_INFINITY;
  const noteWait = (error: ConnectError) => {
    // All calls wait for the same server, and a busy one may refuse some while it takes others.
    if (performance.now() - waitNotedAtMs < WAIT_NOTE_INTERVAL_MS) return;
    waitNotedAtMs = performance.now();
    note({ retry: reportOf(error) }, `trying again: ${reportText(reportOf(error))}`);
  };
  const onDone = () => progress.update(counts.created + counts.skipped + counts.failed);
  const importAll = async (call: CommandCall) => {
    const reading = createLinkedAbortController(io.signal);
    const lines = readImport(openInput(path, io, reading.signal), format);
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
  const retry = { ...patience.retry, onRetry: ({ error }: RetryEvent) => noteWait(error) };
  await withClient(globals, io, whenInterrupted, importAll, {
    ...patience,
    retry,
    pool: { onUnreachable: noteWait },
  });
}

function textOf({ created, skipped, failed }: Counts): string {
  return `${created} users created, ${skipped} skipped, ${failed} failed`;
}

interface ImportRun extends ImportOptions {
  readonly counts: Counts;
  /** Aborted to stop reading, so that a slow input is not waited for. */
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
        // Each worker takes the next line of the one generator.
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
  await client.createUser({ email, name, requestId: requestIdOf(email, name) }, options);
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

/** Returns whether the fault is the line's, so that the next line can still succeed. */
function isFaultOfLine(error: unknown): boolean {
  return error instanceof LineError || error instanceof ValidationError || error instanceof EmailTakenError;
}

/**
 * Returns the request id of a row, the same in every run: the server answers a repetition with the user it has created.
 */
function requestIdOf(email: string, name: string): string {
  const hash = createHash("sha256").update(JSON.stringify([email, name]));
  return `import:${hash.digest("base64url")}`;
}

function formatOf(path: string): ImportFormat {
  if (path === STANDARD_INPUT) throw new UsageError("standard input needs --format csv or --format jsonl");
  switch (extname(path).toLowerCase()) {
    case ".csv":
      return "csv";
    case ".jsonl":
    case ".ndjson":
      return "jsonl";
    default:
      throw new UsageError("the file's format is not known by its extension: add --format csv or --format jsonl");
  }
}

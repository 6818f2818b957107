import { createHash } from "node:crypto";
import { extname } from "node:path";
import { type Command, Option } from "commander";
import { EmailTakenError, ValidationError } from "../../../errors.ts";
import type { RetryEvent } from "../../../retry/policy.ts";
import type { NodeRollcallClientOptions } from "../../create-client.ts";
import { PartlyDoneError, UsageError } from "../exit.ts";
import { type CommandCall, type Globals, integer, withClient } from "../globals.ts";
import {
  type ImportFile,
  type ImportFormat,
  type ImportLine,
  type LineRange,
  openImportFile,
} from "../import-lines.ts";
import type { Io } from "../io.ts";
import { type ErrorReport, reportOf, reportText } from "../output.ts";
import { startProgress } from "../progress.ts";
import { sizeOfFile } from "../size-of-file.ts";

const DEFAULT_CONCURRENCY = 64;

/** An import outlasts a restart of the server: rather wait than give up. */
const patience = {
  timeoutMs: 60_000,
  retry: { maxAttempts: 20, initialDelayMs: 200, budget: { maxTokens: 10_000 } },
} satisfies Partial<NodeRollcallClientOptions>;

/** In lines of the file. */
interface Counts {
  /** The server has, or has had, the user: a repeated row is accepted too. */
  accepted: number;
  failed: number;
}

export function addImportCommand(users: Command, io: Io): void {
  users
    .command("import <file>")
    .description(
      "add the users of a file: JSON Lines, or CSV whose first line names the columns email and name. " +
        "To run it again within a day, after whatever ended it, goes on and adds nobody twice",
    )
    .addOption(new Option("--format <name>", "default: by the file's extension").choices(["csv", "jsonl"]))
    .option("--concurrency <n>", "users created at once", integer(1, 1_000), DEFAULT_CONCURRENCY)
    .action(async (path: string, { format, concurrency }, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      const totalBytes = await sizeOfFile(path);
      const counts: Counts = { accepted: 0, failed: 0 };
      const soFar = () => `${counts.accepted} lines accepted, ${counts.failed} failed`;
      const whenInterrupted = () => `canceled: ${soFar()}; run it again to go on`;
      using file = openImportFile(path, format ?? formatOf(path));
      using progress = startProgress(io.stderr, totalBytes);
      const tell = (range: LineRange, report: ErrorReport) =>
        progress.note(
          globals.json ? JSON.stringify({ ...range, ...report }) : `${rangeText(range)}: ${reportText(report)}`,
        );
      let isWaiting = false;
      const onRetry = ({ error }: RetryEvent) => {
        // Once for all that wait for the same server.
        if (!isWaiting) {
          const report = reportOf(error);
          progress.note(globals.json ? JSON.stringify({ retry: report }) : `trying again: ${reportText(report)}`);
        }
        isWaiting = true;
      };
      const onDone = () => {
        isWaiting = false;
        progress.update(file.bytesRead);
      };
      await withClient(
        globals,
        io,
        whenInterrupted,
        async (call) => {
          try {
            await importFile(file, call, concurrency, counts, tell, onDone);
          } catch (error) {
            const isStopped = !io.signal.aborted && !(error instanceof UsageError);
            if (isStopped) progress.note(`stopped: ${soFar()}; run it again to go on`);
            throw error;
          }
        },
        { ...patience, retry: { ...patience.retry, onRetry } },
      );
      io.stdout.write(globals.json ? `${JSON.stringify(counts)}\n` : `${soFar()}.\n`);
      if (counts.failed > 0) throw new PartlyDoneError(`${counts.failed} lines failed`);
    });
}

async function importFile(
  file: ImportFile,
  call: CommandCall,
  concurrency: number,
  counts: Counts,
  tell: (range: LineRange, report: ErrorReport) => void,
  onDone: () => void,
): Promise<void> {
  let fault: { error: unknown } | undefined;
  const work = async () => {
    while (!fault) {
      // Each worker takes the next line of the one generator.
      const { value: line, done } = await file.lines.next();
      if (done) return;
      const lineCount = line.lastLine - line.line + 1;
      try {
        await importLine(line, call);
        counts.accepted += lineCount;
      } catch (error) {
        if (!isFaultOfLine(error)) {
          fault ??= { error };
          return;
        }
        counts.failed += lineCount;
        tell({ line: line.line, lastLine: line.lastLine }, reportOf(error));
      }
      onDone();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  if (fault) throw fault.error;
}

/** @throws LineError, or what the server answers. */
async function importLine(line: ImportLine, { client, options }: CommandCall): Promise<void> {
  if ("problem" in line) throw new LineError(line.problem);
  const { email, name } = line;
  await client.createUser({ email, name, requestId: requestIdOf(email, name) }, options);
}

function rangeText({ line, lastLine }: LineRange): string {
  return line === lastLine ? `line ${line}` : `lines ${line} to ${lastLine}`;
}

class LineError extends Error {
  override name = "LineError";
}

/** Whether the next line can fare better. */
function isFaultOfLine(error: unknown): boolean {
  return error instanceof LineError || error instanceof ValidationError || error instanceof EmailTakenError;
}

/** The same for the same row, in every run: the server answers a repetition with the user it has made. */
function requestIdOf(email: string, name: string): string {
  const hash = createHash("sha256").update(JSON.stringify([email, name]));
  return `import:${hash.digest("base64url")}`;
}

function formatOf(path: string): ImportFormat {
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

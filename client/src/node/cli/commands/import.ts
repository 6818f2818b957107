import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { extname } from "node:path";
import { type Command, Option } from "commander";
import { EmailTakenError, ValidationError } from "../../../errors.ts";
import type { NodeRollcallClientOptions } from "../../create-client.ts";
import { PartlyDoneError, UsageError } from "../exit.ts";
import { type CommandCall, type Globals, integer, withClient } from "../globals.ts";
import { type ImportFile, type ImportFormat, type ImportLine, openImportFile } from "../import-lines.ts";
import type { Io } from "../io.ts";
import { type ErrorReport, reportOf, reportText } from "../output.ts";
import { startProgress } from "../progress.ts";

const DEFAULT_CONCURRENCY = 64;

/** An import outlasts a restart of the server: rather wait than give up. */
const patience: Partial<NodeRollcallClientOptions> = {
  timeoutMs: 60_000,
  retry: { maxAttempts: 20, initialDelayMs: 200, budget: { maxTokens: 10_000 } },
};

interface Counts {
  created: number;
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
      const totalBytes = await checkFile(path);
      const counts: Counts = { created: 0, failed: 0 };
      const soFar = () => `${counts.created} users are in the directory, ${counts.failed} lines failed`;
      const whenInterrupted = () => `canceled: ${soFar()}; run it again to go on`;
      using file = openImportFile(path, format ?? formatOf(path));
      await withClient(
        globals,
        io,
        whenInterrupted,
        async (call) => {
          using progress = startProgress(io.stderr, totalBytes);
          const tell = (line: number, report: ErrorReport) => {
            counts.failed += 1;
            progress.note(globals.json ? JSON.stringify({ line, ...report }) : `line ${line}: ${reportText(report)}`);
          };
          try {
            await importFile(file, call, concurrency, counts, tell, () => progress.update(file.bytesRead));
          } catch (error) {
            if (!io.signal.aborted) progress.note(`stopped: ${soFar()}; run it again to go on`);
            throw error;
          }
        },
        patience,
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
  tell: (line: number, report: ErrorReport) => void,
  onLine: () => void,
): Promise<void> {
  let fault: { error: unknown } | undefined;
  const work = async () => {
    while (!fault) {
      // Each worker takes the next line of the one generator.
      const { value: line, done } = await file.lines.next();
      if (done) return;
      try {
        await importLine(line, call);
        counts.created += 1;
      } catch (error) {
        if (!isFaultOfLine(error)) fault ??= { error };
        else tell(line.line, reportOf(error));
      }
      onLine();
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

async function checkFile(path: string): Promise<number> {
  try {
    await using file = await open(path);
    return (await file.stat()).size;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

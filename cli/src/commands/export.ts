import { createWriteStream } from "node:fs";
import type { ConnectError } from "@connectrpc/connect";
import { ValidationError } from "@rollcall/client";
import { counted } from "@rollcall/shared/counted";
import { startProgress, USERS } from "@rollcall/shared/progress";
import { type FileFormat, formatByExtension } from "@rollcall/shared/users-file/file-format";
import { type Command, Option } from "commander";
import { UsageError } from "../exit.ts";
import { type Estimate, prepareEstimate } from "../export-estimate.ts";
import { ExportFile, isRegularFile } from "../export-file.ts";
import { ROW_FORMATS } from "../export-rows.ts";
import { type CommandCall, type Globals, withClient } from "../globals.ts";
import type { Io, Output } from "../io.ts";
import { reportOf, reportText } from "../output.ts";
import { patience } from "../patience.ts";

const STANDARD_OUTPUT = "-";
const PAGE_SIZE = 1_000;

interface ExportOptions {
  format: FileFormat;
  filter: string;
  restart?: boolean;
}

/** Destination of the lines. */
interface Destination {
  /** Token of the first page to read. */
  readonly pageToken: string;
  /** @param pageToken Token of the next page; empty at the end. */
  write(text: string, users: number, pageToken: string): Promise<void>;
}

interface ExportRun extends ExportOptions {
  readonly path: string;
  readonly globals: Globals;
  readonly io: Io;
  readonly counts: { exported: number };
  /** Whether the number of all users is shown to somebody. */
  readonly wantsTotal: boolean;
}

/** Shows how many users are exported, of how many; undefined as long as that is not known. */
type ShowDone = (total: number | undefined, isEstimate: boolean) => void;

export function addExportCommand(users: Command, io: Io): void {
  users
    .command("export [file]")
    .summary("write users to a file, or to standard output, in CSV or JSON Lines")
    .description(
      "write users to a file, or to standard output, in the order of their creation, as users import reads them. " +
        "The file gets its name, or replaces an earlier one, when it is complete. If an export to a file was " +
        "interrupted, run it again: it continues",
    )
    .addOption(
      new Option("--format <name>", "format of the lines (default: by the file's extension, else jsonl)").choices([
        "csv",
        "jsonl",
      ]),
    )
    .option("--filter <words>", "only users with a word in name or e-mail that starts with each of these")
    .option("--restart", "discard what an interrupted run has written, and begin again")
    .action(async (path = STANDARD_OUTPUT, options: Partial<ExportOptions>, command: Command) => {
      const { format = formatByExtension(path) ?? "jsonl", filter = "" } = options;
      const globals = command.optsWithGlobals<Globals>();
      const counts = { exported: 0 };
      await runExport({ ...options, path, format, filter, globals, io, counts, wantsTotal: io.stderr.isTTY === true });
      // Standard output may be used for the lines.
      const report = path === STANDARD_OUTPUT ? io.stderr : io.stdout;
      report.write(globals.json ? `${JSON.stringify(counts)}\n` : `${counted(counts.exported, "user")} exported.\n`);
    });
}

/** Runs the export and shows its progress. The bar is removed however the export ends. */
async function runExport(run: ExportRun): Promise<void> {
  const { path, globals, io, counts } = run;
  const output = await outputOf(path, io);
  const progressText = () => `${counted(counts.exported, "user")} exported${output ? "" : "; run it again to go on"}`;
  using progress = startProgress(io.stderr, undefined, USERS);
  const note = (json: unknown, text: string) => progress.note(globals.json ? JSON.stringify(json) : text);
  const noteWait = (error: ConnectError) =>
    note({ retry: reportOf(error) }, `trying again: ${reportText(reportOf(error))}`);
  const onDone: ShowDone = (total, isEstimate) => {
    // Users who are added meanwhile are exported too.
    progress.update(counts.exported, total && Math.max(total, counts.exported), isEstimate);
  };
  const exportAll = async (call: CommandCall) => {
    try {
      if (output) return await exportUsers(run, call, streamTo(output, io.signal), onDone);
      await using file = await ExportFile.open(run);
      const { exported, startedAtMs } = file.state;
      counts.exported = exported;
      progress.resume(exported);
      const startedAt = new Date(startedAtMs).toISOString();
      if (exported > 0)
        note({ resumed: { exported, startedAt } }, `going on behind ${counted(exported, "user")}, since ${startedAt}`);
      const write: Destination["write"] = (...page) => file.write(...page);
      await exportUsers(run, call, { pageToken: file.state.pageToken, write }, onDone);
      await file.complete();
    } catch (error) {
      const isStopped = !io.signal.aborted && !(error instanceof UsageError);
      if (isStopped) progress.note(`stopped: ${progressText()}`);
      throw error;
    }
  };
  await withClient(globals, io, () => `canceled: ${progressText()}`, exportAll, patience(noteWait));
}

/** Returns the stream to write to; undefined for a file that is given its name at the end. */
async function outputOf(path: string, io: Io): Promise<Output | undefined> {
  if (path === STANDARD_OUTPUT) return io.stdout;
  // For example /dev/null, which must not be replaced by a file.
  return (await isRegularFile(path)) ? undefined : createWriteStream(path).on("error", () => {});
}

function streamTo(output: Output, signal: AbortSignal): Destination {
  return {
    pageToken: "",
    write: (text) =>
      new Promise((resolve, reject) => {
        const onAbort = () => reject(signal.reason);
        signal.addEventListener("abort", onAbort, { once: true });
        output.write(text, (error) => {
          signal.removeEventListener("abort", onAbort);
          if (error) reject(error);
          else resolve();
        });
      }),
  };
}

/** Writes page after page, and reads the next one meanwhile. */
async function exportUsers(
  { format, filter, counts, wantsTotal }: ExportRun,
  call: CommandCall,
  { pageToken: start, write }: Destination,
  onDone: ShowDone,
): Promise<void> {
  const read = (pageToken: string) => {
    const includeTotalSize = wantsTotal && pageToken === start;
    const page = call.client.users.list({ pageSize: PAGE_SIZE, pageToken, filter, includeTotalSize }, call.options);
    // The error is thrown where the page is awaited.
    page.catch(() => {});
    return page;
  };
  const { header, rows } = ROW_FORMATS[format];
  let total: number | undefined;
  let estimate: Estimate | undefined;
  let page = read(start);
  for (let prefix = start === "" ? header : ""; ; prefix = "") {
    const { users, nextPageToken, totalSize, totalSizeExceeded } = await page.catch((error: unknown) => {
      throw isForeignToken(error, start) ? new UsageError(FOREIGN_PLACE) : error;
    });
    if (totalSizeExceeded) estimate = await prepareEstimate(call, filter);
    else total ??= totalSize;
    if (nextPageToken !== "") page = read(nextPageToken);
    await write(prefix + rows(users), users.length, nextPageToken);
    counts.exported += users.length;
    if (nextPageToken === "") return onDone(counts.exported, false);
    onDone(estimate ? estimate(counts.exported, users.at(-1)?.createdAt) : total, estimate !== undefined);
  }
}

const FOREIGN_PLACE =
  "the server does not know the place that the export has reached, since that is another directory's: " +
  "go on with that server, or add --restart to begin again";

function isForeignToken(error: unknown, start: string): boolean {
  return (
    start !== "" && error instanceof ValidationError && error.violations.some(({ field }) => field === "page_token")
  );
}

import { resolve } from "node:path";
import { formatBytes } from "@rollcall/shared/format-bytes";
import { type ProgressOutput, startProgress } from "@rollcall/shared/progress";
import packageJson from "../../package.json" with { type: "json" };
import { copySqliteFile } from "../repository/sqlite/copy-file.ts";
import { DatabaseOpenError } from "../repository/sqlite/recognise-sqlite.ts";
import { type ServerCommand, USAGE } from "./parse-command.ts";

/** Environment of a command. */
export interface CommandIo {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: ProgressOutput;
  /** Folder that a relative file starts from. */
  readonly workingDir: string;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Absolute path of a file, or ":memory:". */
  readonly databasePath: string;
}

/** Runs a command other than `serve`. Resolves with the exit code. */
export async function runCommand(command: Exclude<ServerCommand, { name: "serve" }>, io: CommandIo): Promise<number> {
  const { stdout, stderr, signal, workingDir } = io;
  try {
    switch (command.name) {
      case "help":
        stdout.write(USAGE);
        return 0;
      case "version":
        stdout.write(`${packageJson.version}\n`);
        return 0;
      case "backup": {
        const to = resolve(workingDir, command.file);
        const copied = await copyFile(databaseFile(io), to, io);
        stdout.write(`${copied} are in ${to}, read back and sound.\n`);
        return 0;
      }
      case "restore": {
        const to = databaseFile(io);
        const copied = await copyFile(resolve(workingDir, command.file), to, io);
        stdout.write(`${copied} are in ${to}, read back and sound. Start the server.\n`);
        return 0;
      }
    }
  } catch (error) {
    if (signal.aborted) {
      stderr.write("rollcall-server: canceled; nothing was left\n");
      return 130;
    }
    if (!(error instanceof DatabaseOpenError)) throw error;
    stderr.write(`rollcall-server: ${error.message}\n`);
    return 1;
  }
}

/** Copies the database. Returns in words what was copied. */
async function copyFile(from: string, to: string, { stderr, signal }: CommandIo): Promise<string> {
  let progress: ReturnType<typeof startProgress> | undefined;
  try {
    const { users, bytes } = await copySqliteFile({
      from,
      to,
      signal,
      onProgress(doneBytes, totalBytes) {
        progress ??= startProgress(stderr, totalBytes);
        progress.update(doneBytes);
      },
      onCheck: () => progress?.note("reading it back"),
    });
    return `${users.toLocaleString("en")} users (${formatBytes(bytes, "en")})`;
  } finally {
    progress?.[Symbol.dispose]();
  }
}

/** @throws DatabaseOpenError for a database that is no file. */
function databaseFile({ databasePath }: CommandIo): string {
  if (databasePath !== ":memory:") return databasePath;
  throw new DatabaseOpenError("DATABASE_URL names a database in memory, which no other process can read");
}

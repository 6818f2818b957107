import { resolve } from "node:path";
import { counted } from "@rollcall/shared/counted";
import { formatBytes } from "@rollcall/shared/format-bytes";
import { type Progress, startProgress } from "@rollcall/shared/progress";
import { parseDatabaseSetting } from "../config.ts";
import { DatabaseOpenError } from "../repository/database-open.ts";
import { type CopyFileOptions, copySqliteFile } from "../repository/sqlite/copy-file.ts";
import { type CommandIo, fileSources } from "./io.ts";

/** Copies the database of DATABASE_URL to a new file. @throws ConfigError | DatabaseOpenError */
export async function backUp(file: string, io: CommandIo): Promise<void> {
  const to = resolve(io.workingDir, file);
  const copied = await copyFile({ from: databaseFile(io), to }, io);
  io.stdout.write(`${copied} are in ${to}, read back and sound.\n`);
}

/** Puts a backup in the place of DATABASE_URL. @throws ConfigError | DatabaseOpenError */
export async function restore(file: string, io: CommandIo): Promise<void> {
  const to = databaseFile(io);
  const copied = await copyFile({ from: resolve(io.workingDir, file), to, begins: true }, io);
  io.stdout.write(`${copied} are in ${to}, read back and sound. Start the server.\n`);
}

/** Returns in words what was copied. */
async function copyFile(
  files: Pick<CopyFileOptions, "from" | "to" | "begins">,
  { stderr, signal }: CommandIo,
): Promise<string> {
  let progress: Progress | undefined;
  try {
    const { users, bytes } = await copySqliteFile({
      ...files,
      signal,
      onProgress(doneBytes, totalBytes) {
        progress ??= startProgress(stderr, totalBytes);
        progress.update(doneBytes);
      },
      onCheck: () => progress?.note("reading it back"),
    });
    return `${counted(users, "user", (count) => count.toLocaleString("en"))} (${formatBytes(bytes, "en")})`;
  } finally {
    progress?.[Symbol.dispose]();
  }
}

/** @throws DatabaseOpenError for a database that is no file. */
function databaseFile({ env, rootDir }: CommandIo): string {
  const database = parseDatabaseSetting(env, fileSources(rootDir));
  if (database.kind === "postgres") {
    throw new DatabaseOpenError(
      "DATABASE_URL names a PostgreSQL database: back it up and restore it by pg_dump and pg_restore",
    );
  }
  if (database.path !== ":memory:") return database.path;
  throw new DatabaseOpenError("DATABASE_URL names a database in memory, which no other process can read");
}

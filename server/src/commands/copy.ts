import { ROWS, startProgress } from "@rollcall/shared/progress";
import { parseDatabaseArgument } from "../config.ts";
import { CopyError, copyDirectory, describeRows } from "../repository/copy-directory.ts";
import { openBulkReader, openBulkWriter } from "../repository/open.ts";
import { type CommandIo, fileSources } from "./io.ts";

/** Copies all of one database into another, which must be empty. @throws ConfigError | DatabaseOpenError | CopyError */
export async function copy(fromArgument: string, toArgument: string, io: CommandIo): Promise<void> {
  const { stdout, stderr, env, rootDir, signal } = io;
  const from = parseDatabaseArgument("FROM", fromArgument, env, fileSources(rootDir));
  const to = parseDatabaseArgument("TO", toArgument, env, fileSources(rootDir));
  for (const database of [from, to]) {
    const isInMemory = database.kind === "sqlite" && database.path === ":memory:";
    if (isInMemory) throw new CopyError("a database in memory can't be copied");
  }
  if (JSON.stringify(from) === JSON.stringify(to)) throw new CopyError("FROM and TO are the same database");
  await using reader = await openBulkReader(from);
  await using writer = await openBulkWriter(to);
  using progress = startProgress(stderr, undefined, ROWS);
  const copied = await copyDirectory(reader, writer, {
    signal,
    onProgress: (done, total) => progress.update(done, total),
    onCheck: () => progress.note("reading them back"),
  });
  stdout.write(`${describeRows(copied)} copied and read back; SHA-256 of the rows on both sides: ${copied.digest}\n`);
}

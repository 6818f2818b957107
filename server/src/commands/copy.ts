import { startProgress, USERS } from "@rollcall/shared/progress";
import { parseDatabaseArgument } from "../config.ts";
import { CopyError, copyDirectory } from "../repository/copy-directory.ts";
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
  const { users: total } = await reader.counts();
  using progress = startProgress(stderr, total, USERS);
  const { users, requests, digest } = await copyDirectory(reader, writer, {
    signal,
    onProgress: (done) => progress.update(done),
    onCheck: () => progress.note("reading them back"),
  });
  stdout.write(
    `${users.toLocaleString("en")} users and ${requests.toLocaleString("en")} request ids copied and read back; ` +
      `SHA-256 of the rows on both sides: ${digest}\n`,
  );
}

import { startProgress, USERS } from "@rollcall/shared/progress";
import { parseDatabaseArgument } from "../config.ts";
import { CopyError, copyDirectory } from "../repository/copy-directory.ts";
import { openSqliteBulkReader, openSqliteBulkWriter } from "../repository/sqlite/bulk.ts";
import type { CommandIo } from "./io.ts";

/** Copies all of one database into another, which must be empty. @throws ConfigError | DatabaseOpenError | CopyError */
export async function copy(fromArgument: string, toArgument: string, io: CommandIo): Promise<void> {
  const { stdout, stderr, env, rootDir, signal } = io;
  const from = parseDatabaseArgument("FROM", fromArgument, env, rootDir);
  const to = parseDatabaseArgument("TO", toArgument, env, rootDir);
  if (from === ":memory:" || to === ":memory:") throw new CopyError("a database in memory can't be copied");
  if (from === to) throw new CopyError("FROM and TO are the same database");
  await using reader = openSqliteBulkReader(from);
  await using writer = openSqliteBulkWriter(to);
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

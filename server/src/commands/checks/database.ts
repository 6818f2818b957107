import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseConfig } from "../../config/database-url.ts";
import { DatabaseOpenError } from "../../repository/database-open.ts";
import { openBulkReader } from "../../repository/open.ts";
import { describeOpenFile, describeOpenFolder } from "../../repository/sqlite/file-access.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Opens the database read-only. That changes nothing and is safe while a server runs. */
export async function checkDatabase(database: DatabaseConfig): Promise<Finding[]> {
  if (database.kind === "postgres") return await readDatabase(database, "PostgreSQL", []);
  const { path } = database;
  if (path === ":memory:") return [warn("database: in memory, so that a stop loses it; set DATABASE_URL to a file")];
  const folder = nearestFolder(dirname(path));
  const unwritable = [folder, path].find((each) => existsSync(each) && !isWritable(each));
  if (unwritable !== undefined) {
    return [fail(`database: this user can't write to ${unwritable}: change its owner, or run as another`)];
  }
  if (!existsSync(path)) return [ok(`database: ${path} will be made`)];
  const dangers = [describeOpenFolder(folder), describeOpenFile(path)].flatMap((text) => text ?? []);
  return await readDatabase(database, path, dangers);
}

async function readDatabase(database: DatabaseConfig, name: string, dangers: readonly string[]): Promise<Finding[]> {
  try {
    await using reader = await openBulkReader(database);
    const { users } = await reader.counts();
    const found = ok(`database: ${name}, ${users.toLocaleString("en")} users`);
    return [found, ...dangers.map((text) => warn(`database: ${text}`))];
  } catch (error) {
    if (!(error instanceof DatabaseOpenError)) throw error;
    return [fail(`database: ${error.message}`)];
  }
}

/** Returns the folder itself or, if it does not exist, the one in which it would be made. */
export function nearestFolder(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestFolder(dirname(path));
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

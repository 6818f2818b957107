import { existsSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { formatBytes } from "@rollcall/shared/format-bytes";
import type { DatabaseConfig } from "../../config/database-url.ts";
import { nearestFolder } from "./database.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const MIB = 1024 ** 2;
/** Least free space: the write-ahead log alone may take 16 MiB, so a server with less could soon write no more. */
const LEAST_BYTES = 64 * MIB;
const LITTLE_BYTES = 1_024 * MIB;

/** Checks the free space on the database's disk: enough to run for a while, and for a backup beside the database. */
export async function checkDisk(database: DatabaseConfig): Promise<Finding[]> {
  if (database.kind === "postgres" || database.path === ":memory:") return [];
  const { path } = database;
  const folder = nearestFolder(dirname(path));
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  const databaseBytes = existsSync(path) ? statSync(path).size : 0;
  const free = `disk: ${formatBytes(freeBytes, "en")} free in ${folder}`;
  if (freeBytes < LEAST_BYTES) return [fail(`${free}: make room, or every write will fail`)];
  if (freeBytes < LITTLE_BYTES) return [warn(`${free}: make room`)];
  if (freeBytes < databaseBytes)
    return [warn(`${free}, too little for a backup beside it: make room, or back up to another disk`)];
  return [ok(free)];
}

import { existsSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { formatBytes } from "@rollcall/shared/format-bytes";
import type { DatabaseConfig } from "../../config/database-url.ts";
import { nearestFolder } from "./database.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const MIB = 1024 ** 2;
/** Less than this, and a server could not write for long: its log alone (WAL) may have 16 MiB. */
const LEAST_BYTES = 64 * MIB;
const LITTLE_BYTES = 1_024 * MIB;

/** Checks how much room the disk of the database has: for a while, and for a backup beside it. */
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

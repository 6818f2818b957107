import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Returns the time when a file, or the newest file in a folder, was changed, in milliseconds since 1970. */
export function newestMs(path: string): number {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  const names = readdirSync(path).filter((name) => name !== "node_modules" && name !== "dist");
  return Math.max(stats.mtimeMs, ...names.map((name) => newestMs(join(path, name))));
}

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";

const root = join(import.meta.dirname, "..");
const sources = [
  "web/index.html",
  "web/src",
  "web/public",
  "web/vite.config.ts",
  "client/src",
  "gen/src",
  "pnpm-lock.yaml",
];

/** Builds the web app into web/dist. */
export async function buildWeb(): Promise<void> {
  await build({ configFile: join(root, "web/vite.config.ts"), logLevel: "warn" });
}

/** Builds the web app if it has not been built since one of its sources changed. */
export async function buildWebIfStale(): Promise<void> {
  const built = join(root, "web/dist/index.html");
  const newestSourceMs = Math.max(...sources.map((path) => newestMs(join(root, path))));
  if (!existsSync(built) || statSync(built).mtimeMs < newestSourceMs) await buildWeb();
}

function newestMs(path: string): number {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

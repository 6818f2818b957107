import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { newestMs } from "./newest-ms.ts";

const root = join(import.meta.dirname, "..");
const sources = [
  "web/index.html",
  "web/src",
  "web/public",
  "web/slim-contracts.ts",
  "web/slim-descriptor.ts",
  "web/vite.config.ts",
  "client/src",
  "gen/package.json",
  "gen/rules-schema-name.ts",
  "gen/src",
  "shared/src",
  "pnpm-lock.yaml",
  "scripts/web-build.ts",
];

const PAGE = "index.html";
/** Types of files that compress well. */
const TEXT = new Set([".css", ".html", ".js", ".svg"]);

export interface WebBuildOptions {
  /** Folder to build into, which is emptied first. Default: web/dist. */
  outDir?: string;
  plugins?: Plugin[];
}

/** Builds the web app. Writes the smallest compressed form of each file beside it, for the server to send. */
export async function buildWeb({ outDir = join(root, "web/dist"), plugins = [] }: WebBuildOptions = {}): Promise<void> {
  const environment = process.env.NODE_ENV;
  // Vite builds for this environment, and a test runner sets "test": that gives React's development version, twice as
  // large.
  process.env.NODE_ENV = "production";
  try {
    // Loaded on demand, so that a server that has nothing to build starts without it.
    const { build } = await import("vite");
    await build({ configFile: join(root, "web/vite.config.ts"), logLevel: "warn", plugins, build: { outDir } });
  } finally {
    if (environment === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = environment;
  }
  const names = readdirSync(outDir, { recursive: true, encoding: "utf8" }).filter((name) => TEXT.has(extname(name)));
  // Compress the page last: if the page is compressed, everything else is too.
  for (const name of [...names.filter((other) => other !== PAGE), PAGE]) compress(join(outDir, name));
}

function compress(path: string): void {
  const bytes = readFileSync(path);
  const params = { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.byteLength };
  writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params }));
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION }));
}

/** Builds the web app if one of its sources has changed since the last build. */
export async function buildWebIfStale(): Promise<void> {
  const built = join(root, `web/dist/${PAGE}.gz`);
  const newestSourceMs = Math.max(...sources.map((path) => newestMs(join(root, path))));
  if (!existsSync(built) || statSync(built).mtimeMs < newestSourceMs) await buildWeb();
}

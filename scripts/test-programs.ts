import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { newestMs } from "./newest-ms.ts";

const root = join(import.meta.dirname, "..");
/** The bundles are two folders deep, like the sources that look for the repository's root. */
const folder = join(root, ".programs/bundle");

/** Programs that tests start again and again. */
const programs = [
  "server/src/main.ts",
  "cli/src/main.ts",
  "server/test/durability/support/faulty-server-main.ts",
  "server/test/hardening/support/load-server-main.ts",
  "server/test/hardening/support/measured-server-main.ts",
];
const inputs = ["server", "cli/src", "client/src", "shared/src", "gen/src", "testing/src", "pnpm-lock.yaml"];

/** `server/src/main.ts` and `server/test/x-main.ts` become `server-main` and `x-main`. */
const nameOf = (path: string) => (basename(path) === "main.ts" ? `${path.split("/")[0]}-main` : basename(path, ".ts"));

/**
 * Bundles the programs that tests start, in the same way as releases, if a source has changed since the last time. A
 * process then starts with half of the CPU time.
 *
 * @returns Paths of the bundles, by the paths of their sources.
 */
export async function bundleTestPrograms(): Promise<Readonly<Record<string, string>>> {
  const stamp = join(folder, "stamp");
  const newest = Math.max(...inputs.map((path) => newestMs(join(root, path))), newestMs(import.meta.filename));
  if (!existsSync(stamp) || statSync(stamp).mtimeMs < newest) {
    rmSync(folder, { recursive: true, force: true });
    const { build } = await import("vite");
    await build({
      root,
      configFile: false,
      logLevel: "warn",
      ssr: { noExternal: true, target: "node" },
      build: {
        ssr: true,
        outDir: folder,
        target: "node26",
        rolldownOptions: {
          input: Object.fromEntries(programs.map((path) => [nameOf(path), join(root, path)])),
          output: { entryFileNames: "[name].mjs", chunkFileNames: "chunks/[name]-[hash].mjs" },
        },
      },
    });
    writeFileSync(stamp, "");
  }
  return Object.fromEntries(programs.map((path) => [path, join(folder, `${nameOf(path)}.mjs`)]));
}

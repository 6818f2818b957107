/**
 * Builds the packages that are installed elsewhere: for each, a folder `.package` with `dist`, its manifest, README and
 * licence, which `pnpm pack` packs. Inside the repository, packages continue to use each other's sources.
 *
 * Only tsc compiles them. Each file stays a file: bundlers can thus drop code that an app does not use, and stacks and
 * declarations name the files of this repository. As with a bundler, `dependencies` remain imports, and code from
 * `devDependencies` is copied into the package.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { type Manifest, targetsOf, toPublished } from "./package-manifest.ts";
import { buildWebIfStale } from "./web-build.ts";

export const packageNames = ["gen", "client", "server", "cli"] as const;

const root = join(import.meta.dirname, "..");
const SPECIFIER = /(?<=\b(?:from|import) ?\(?")[^"]+(?=")/g;

const readManifest = (folder: string): Manifest => JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));

/** Returns the compiled file, without `.js`, that an import of one of our packages leads to. */
function resolveInternal(specifier: string): string {
  const [, folder = "", subpath = ""] = /^@rollcall\/([^/]+)\/?(.*)$/.exec(specifier) ?? [];
  for (const [key, target] of Object.entries(readManifest(folder).exports)) {
    const [before = "", after] = key.slice(2).split("*");
    const isMatch = after === undefined ? before === subpath : subpath.startsWith(before);
    if (isMatch) return join(folder, target.replace("*", subpath.slice(before.length)).replace(/\.ts$/, ""));
  }
  throw new Error(`${specifier} is not exported`);
}

/** Copies the compiled files with this ending that are reachable from the package's entries into `dist`. */
function copyReachable(ending: ".js" | ".d.ts", folder: string, manifest: Manifest, compiled: string): void {
  const dist = join(root, folder, ".package/dist");
  const placeOf = (module: string) => {
    const own = module.startsWith(`${folder}/`) ? module.slice(folder.length + 1) : module;
    return own.replace(/(^|\/)src\//, "$1");
  };
  const open = targetsOf(manifest, join(root, folder)).map((path) => join(folder, path.replace(/\.ts$/, "")));
  const seen = new Set(open);
  for (const module of open) {
    const place = placeOf(module);
    const follow = (specifier: string): string => {
      const isRelative = specifier.startsWith(".");
      if (specifier.endsWith(".json")) return specifier;
      if (!isRelative && (!specifier.startsWith("@rollcall/") || isDependency(specifier, manifest))) return specifier;
      const target = isRelative ? join(dirname(module), specifier.replace(/\.[jt]s$/, "")) : resolveInternal(specifier);
      if (!seen.has(target)) open.push(target);
      seen.add(target);
      const path = relative(dirname(place), `${placeOf(target)}.js`);
      return path.startsWith(".") ? path : `./${path}`;
    };
    mkdirSync(dirname(join(dist, place)), { recursive: true });
    const text = readFileSync(join(compiled, `${module}${ending}`), "utf8").replace(SPECIFIER, follow);
    writeFileSync(join(dist, `${place}${ending}`), text);
    if (ending === ".d.ts") continue;
    const map = JSON.parse(readFileSync(join(compiled, `${module}.js.map`), "utf8"));
    const source = relative(join(folder, "dist", dirname(place)), `${module}.ts`);
    writeFileSync(join(dist, `${place}.js.map`), JSON.stringify({ ...map, sources: [source] }));
  }
}

function isDependency(specifier: string, { dependencies = {} }: Manifest): boolean {
  return Object.keys(dependencies).some((name) => specifier === name || specifier.startsWith(`${name}/`));
}

/** Builds all packages. */
export async function buildPackages(): Promise<void> {
  await buildWebIfStale();
  const compiled = mkdtempSync(join(tmpdir(), "rollcall-packages-"));
  try {
    const tsc = join(root, "node_modules/.bin/tsc");
    execFileSync(tsc, ["-p", "scripts/tsconfig.packages.json", "--outDir", compiled], { cwd: root, stdio: "inherit" });
    for (const folder of packageNames) {
      const manifest = readManifest(folder);
      const output = join(root, folder, ".package");
      rmSync(output, { recursive: true, force: true });
      for (const ending of [".js", ".d.ts"] as const) copyReachable(ending, folder, manifest, compiled);
      const versionOf = (name: string) => readManifest(name.replace("@rollcall/", "")).version;
      writeFileSync(join(output, "package.json"), `${JSON.stringify(toPublished(manifest, versionOf), null, 2)}\n`);
      cpSync(join(root, "LICENSE"), join(output, "LICENSE"));
      const readme = join(root, folder, "README.md");
      if (existsSync(readme)) cpSync(readme, join(output, "README.md"));
    }
    cpSync(join(root, "web/dist"), join(root, "server/.package/dist/web"), { recursive: true });
  } finally {
    rmSync(compiled, { recursive: true });
  }
}

if (import.meta.main) await buildPackages();

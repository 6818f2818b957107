import { globSync } from "node:fs";

/** Manifest of a package of this repository, whose entries are its sources. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Returns the source files, from the package's folder, that its exports, imports and commands name. */
export function targetsOf({ exports, imports = {}, bin = {} }: Manifest, folder: string): string[] {
  const conditional = Object.values(imports).flatMap((conditions) => Object.values(conditions));
  const targets = [...Object.values(exports), ...Object.values(bin), ...conditional];
  return targets
    .filter((target) => target.endsWith(".ts"))
    .flatMap((target) => globSync(target.replace("*", "**/*"), { cwd: folder }));
}

/** Returns the place of a source file's compiled form in the package. */
function toCompiled(source: string, ending = ".js"): string {
  return source.endsWith(".ts") ? source.replace(/^\.\/(?:src\/)?/, "./dist/").replace(/\.ts$/, ending) : source;
}

function mapValues<T, U>(values: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, map(value)]));
}

/**
 * Returns the manifest of the package that is installed elsewhere: with compiled entries, and without anything for
 * development.
 */
export function toPublished(manifest: Manifest, versionOf: (name: string) => string): object {
  const { exports, imports, bin, dependencies = {}, ...rest } = manifest;
  const kept = Object.entries(rest).filter(
    ([key]) => !["private", "devDependencies", "scripts", "publishConfig"].includes(key),
  );
  const depend = ([name, range]: [string, string]) => [name, range.startsWith("workspace:") ? versionOf(name) : range];
  return {
    ...Object.fromEntries(kept),
    exports: {
      ...mapValues(exports, (source) => ({ types: toCompiled(source, ".d.ts"), default: toCompiled(source) })),
      "./package.json": "./package.json",
    },
    ...(imports && { imports: mapValues(imports, (conditions) => mapValues(conditions, (path) => toCompiled(path))) }),
    ...(bin && { bin: mapValues(bin, (source) => toCompiled(source)) }),
    files: ["dist"],
    dependencies: Object.fromEntries(Object.entries(dependencies).map(depend)),
  };
}

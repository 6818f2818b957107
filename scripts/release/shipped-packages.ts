import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

/** Another project's package, some of whose code is in the release. */
export interface ShippedPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly licence: string;
  /** Folder that it was read from. */
  readonly folder: string;
}

/** Licences that require only that their text is kept, as it is in THIRD-PARTY-LICENSES.txt. */
const ACCEPTED = new Set([
  "MIT",
  "ISC",
  "0BSD",
  "Unlicense",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "(Apache-2.0 AND BSD-3-Clause)",
]);

/**
 * Collects the packages whose modules are part of the output of builds. Modules that a build drops, or that only the
 * build itself needs, are not counted.
 */
export function collectPackages(): { plugin: Plugin; packages(): ShippedPackage[] } {
  const folders = new Set<string>();
  return {
    plugin: {
      name: "collect-packages",
      generateBundle(_options, bundle) {
        for (const output of Object.values(bundle)) {
          if (output.type !== "chunk") continue;
          for (const id of output.moduleIds) {
            const folder = packageFolder(id);
            if (folder !== undefined) folders.add(folder);
          }
        }
      },
    },
    packages: () => [...folders].map(readPackage).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
  };
}

/** Returns the folder of the other project's package that a module belongs to. */
function packageFolder(moduleId: string): string | undefined {
  const [, folder] = /^\0?(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(moduleId) ?? [];
  return folder;
}

function readPackage(folder: string): ShippedPackage {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (typeof license !== "string" || !ACCEPTED.has(license)) {
    throw new Error(
      `${name}@${version} has the licence ${JSON.stringify(license)}: may it be shipped? See ${import.meta.filename}`,
    );
  }
  return { name, version, licence: license, folder };
}

function keyOf({ name, version }: ShippedPackage): string {
  return `${name}@${version}`;
}

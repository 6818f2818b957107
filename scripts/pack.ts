/**
 * `pnpm run packages`: builds the packages that are installed elsewhere, and packs them into `dist` or a given folder.
 */
import { execFileSync } from "node:child_process";
import { join, resolve } from "node:path";
import { buildPackages, packageNames } from "./build-packages.ts";

const root = join(import.meta.dirname, "..");

/** Packs all packages into a folder. */
export async function packPackages(folder: string): Promise<void> {
  await buildPackages();
  // They are already built, so packing one need not build it again.
  const pack = ["pack", "--config.ignore-scripts=true", "--pack-destination", folder];
  const filters = packageNames.flatMap((name) => ["--filter", `./${name}`]);
  execFileSync("npx", ["-y", "pnpm@12", "--recursive", ...filters, ...pack], { cwd: root, stdio: "pipe" });
}

if (import.meta.main) {
  const folder = resolve(process.argv[2] ?? join(root, "dist"));
  await packPackages(folder);
  console.log(`Packed ${packageNames.length} packages into ${folder}`);
}

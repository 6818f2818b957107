import { mkdir, mkdtempDisposable, writeFile } from "node:fs/promises";
import { join } from "node:path";

const packageDir = join(import.meta.dirname, "../..");

/**
 * Creates a folder in the package, so that an example finds the package by its name, with the setup that examples need.
 */
export async function startExample() {
  await mkdir(join(packageDir, ".readme"), { recursive: true });
  const folder = await mkdtempDisposable(join(packageDir, ".readme/"));
  await writeFile(join(folder.path, "notes.txt"), "Ada was here.\n");
  return folder;
}

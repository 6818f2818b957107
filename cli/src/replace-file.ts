import { rename, writeFile } from "node:fs/promises";

/** Replaces a small file at once, and on disk: a reader finds the old text or the new one. For its owner alone. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, text, { mode: 0o600, flush: true });
  await rename(temporary, path);
}

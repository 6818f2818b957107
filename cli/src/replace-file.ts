import { rename, writeFile } from "node:fs/promises";

/**
 * Replaces a small file atomically and durably: a reader finds the old text or the new one. Only the owner can read the
 * file.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, text, { mode: 0o600, flush: true });
  await rename(temporary, path);
}

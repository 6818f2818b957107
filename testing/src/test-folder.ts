import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";

/** Creates an empty folder before each test of a file or group, passes it to `use`, and removes it after the test. */
export function withFolderEach(use: (folder: string) => void): void {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "rollcall-"));
    use(folder);
  });
  afterEach(() => rmSync(folder, { recursive: true }));
}

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { testCa } from "./matrix.ts";

/**
 * Writes the certificate authority of TLS servers to a file, and returns its path. The file exists while the test file
 * runs.
 */
export function writeCaFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-ca-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "ca.pem");
  writeFileSync(path, testCa);
  return path;
}

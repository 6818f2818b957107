import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { testCa } from "./matrix.ts";

/** Path of a file with the certificate authority of TLS servers; it is there for as long as the test file runs. */
export function writeCaFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-ca-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "ca.pem");
  writeFileSync(path, testCa);
  return path;
}

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { childEnv } from "./child-env.ts";
import { testCa } from "./matrix.ts";

/** The repository. */
export const root = join(import.meta.dirname, "../..");

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program in the repository to its end, at most two minutes. @throws Error if it can't be started or is cut off. */
export function run(program: string, args: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      { cwd: root, env: { ...process.env, ...childEnv }, timeout: 120_000 },
      (error, stdout, stderr) => {
        const exitCode = error ? error.code : 0;
        if (typeof exitCode === "number") resolve({ exitCode, stdout, stderr });
        else reject(error);
      },
    );
  });
}

/** Path of a file with the certificate authority of TLS servers; it is there for as long as the test file runs. */
export function writeCaFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-ca-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "ca.pem");
  writeFileSync(path, testCa);
  return path;
}

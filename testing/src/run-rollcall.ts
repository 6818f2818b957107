import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { runCommandLine } from "@rollcall/cli/run";
import { childEnv } from "./child-env.ts";

export const main = join(import.meta.dirname, "../../cli/src/main.ts");

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  env?: Record<string, string> | undefined;
  /** What the command reads; its input stays open without. */
  input?: string | Uint8Array | undefined;
  /** Gets the process as it starts. */
  onStart?: ((child: ChildProcess) => void) | undefined;
}

/** Runs the real `rollcall` in a process of its own. */
export async function rollcall(
  args: readonly string[],
  { env, input, onStart }: RunOptions = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [main, ...args], { env: { ...childEnv, ...env } });
  if (input !== undefined) child.stdin.end(input);
  onStart?.(child);
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { code, stdout, stderr };
}

/** Runs the command in this process: all of it but what `main.ts` makes of the process. */
export async function rollcallInside(
  args: readonly string[],
  { env = {}, input }: Omit<RunOptions, "onStart"> = {},
): Promise<CommandResult> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  if (input !== undefined) stdin.end(input);
  const { signal } = new AbortController();
  const rootDir = join(import.meta.dirname, "../..");
  const ended = runCommandLine(args, { stdin, stdout, stderr, env, rootDir, signal }).then((code) => {
    stdout.end();
    stderr.end();
    return code;
  });
  const [output, errors, code] = await Promise.all([text(stdout), text(stderr), ended]);
  return { code, stdout: output, stderr: errors };
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { childEnv } from "./child-env.ts";
import { root } from "./root.ts";

export interface ProgramResult {
  /** Its exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** The folder that it runs in. Default: the repository. */
  cwd?: string | undefined;
  /** Its whole environment. Default: that of the tests, by which buf and curl find their files. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Standard input of the command. Stays open by default. */
  input?: string | Uint8Array | undefined;
  /** Called with the process as it starts. */
  onStart?: ((child: ChildProcess) => void) | undefined;
  /** Longest run in milliseconds, after which it is ended. Default ten minutes. */
  timeoutMs?: number | undefined;
}

/** Runs a program to its end. @throws Error if it can't be started. */
export async function run(
  program: string,
  args: readonly string[],
  { cwd = root, env = { ...process.env, ...childEnv }, input, onStart, timeoutMs = 600_000 }: ProgramOptions = {},
): Promise<ProgramResult> {
  const child = spawn(program, args, { cwd, env, timeout: timeoutMs });
  const closed = once(child, "close").then(([code]) => code as number | null);
  // A program may end without reading its input.
  child.stdin.on("error", () => {});
  if (input !== undefined) child.stdin.end(input);
  onStart?.(child);
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { code, stdout, stderr };
}

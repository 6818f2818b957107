import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";

export const main = join(import.meta.dirname, "../src/node/cli/main.ts");

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  env?: Record<string, string> | undefined;
  /** What the command reads; its input stays open without. */
  input?: string | undefined;
  /** Gets the process as it starts. */
  onStart?: ((child: ChildProcess) => void) | undefined;
}

/** Runs the real `rollcall` in a process of its own. */
export async function rollcall(
  args: readonly string[],
  { env, input, onStart }: RunOptions = {},
): Promise<CommandResult> {
  const { PATH = "" } = process.env;
  const child = spawn(process.execPath, [main, ...args], { env: { PATH, ...env } });
  if (input !== undefined) child.stdin.end(input);
  onStart?.(child);
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { code, stdout, stderr };
}

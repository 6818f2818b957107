import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { runCommandLine } from "@rollcall/cli/run";
import { childEnv } from "./child-env.ts";
import { programFile } from "./programs.ts";
import { root } from "./root.ts";
import { type ProgramOptions, type ProgramResult, run } from "./run-program.ts";

/** The program's file. */
export const rollcallMain = programFile("cli/src/main.ts");

export interface RollcallOptions extends Pick<ProgramOptions, "input" | "onStart" | "timeoutMs"> {
  /** Variables in addition to those that every process of a test has. */
  env?: Record<string, string> | undefined;
}

/** Runs the real `rollcall` in a process of its own. */
export function rollcall(args: readonly string[], options: RollcallOptions = {}): Promise<ProgramResult> {
  return run(process.execPath, [rollcallMain, ...args], { ...options, env: { ...childEnv, ...options.env } });
}

/** Runs the command in this process: everything except `main.ts`. */
export async function rollcallInside(
  args: readonly string[],
  { env = {}, input, rootDir = root }: Omit<RollcallOptions, "onStart" | "timeoutMs"> & { rootDir?: string } = {},
): Promise<ProgramResult> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  if (input !== undefined) stdin.end(input);
  const { signal } = new AbortController();
  const ended = runCommandLine(args, { stdin, stdout, stderr, env, rootDir, signal }).then((code) => {
    stdout.end();
    stderr.end();
    return code;
  });
  const [output, errors, code] = await Promise.all([text(stdout), text(stderr), ended]);
  return { code, stdout: output, stderr: errors };
}

import { childEnv } from "./child-env.ts";
import { programFile } from "./programs.ts";
import { type ProgramOptions, type ProgramResult, run } from "./run-program.ts";

/** Runs a command of the real `rollcall-server`, such as `backup FILE`, in a process of its own. */
export function rollcallServer(
  args: readonly string[],
  { env, ...options }: Pick<ProgramOptions, "onStart" | "env" | "cwd"> = {},
): Promise<ProgramResult> {
  return run(process.execPath, [programFile("server/src/main.ts"), ...args], {
    ...options,
    env: { ...childEnv, ...env },
  });
}

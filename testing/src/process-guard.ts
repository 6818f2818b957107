import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";

/** Ends a program and removes its folder when this process ends, even if it is killed. */
export interface ProcessGuard extends AsyncDisposable {
  /** Sets the process to end, instead of the last one; undefined while there is none. */
  watch(pid: number | undefined): void;
}

export interface ProcessGuardOptions {
  readonly folder: string;
  /** User that the program runs as. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

/** Starts a guard. Its disposal ends the watched process, and removes the folder. It keeps no process alive. */
export function startProcessGuard({ folder, owner }: ProcessGuardOptions): ProcessGuard {
  const guard = spawn("sh", ["-c", GUARD, folder], { stdio: ["pipe", "ignore", "ignore"], detached: true, ...owner });
  guard.unref();
  (guard.stdin as Socket).unref();
  guard.stdin.on("error", () => {});
  return {
    watch: (pid) => void guard.stdin.write(`${pid ?? ""}\n`),
    async [Symbol.asyncDispose]() {
      guard.ref();
      guard.stdin.end();
      if (guard.exitCode === null) await once(guard, "exit");
    },
  };
}

/**
 * Waits for the end of its input, which comes with the end of the test's process. It also ends a process that was
 * paused.
 */
const GUARD = `
  while read -r line; do pid=$line; done
  if [ -n "$pid" ]; then kill -KILL $pid $(cat /proc/$pid/task/$pid/children); fi
  for _ in 1 2 3 4 5 6 7 8 9; do rm -rf "$0" && break; sleep 0.1; done`;

import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";

const SERVER_CORE = "0";
const LOAD_CORE = "1";

/** Whether server and load each run on a core of their own. That needs two cores, and taskset. */
export const isPinned = availableParallelism() >= 2 && hasProgram("taskset");

/** Makes a command that runs on the server's core. */
export function onServerCore(command: string, args: readonly string[]): [string, string[]] {
  return pinned(SERVER_CORE, command, args);
}

/** Makes a command that runs on the load's core. */
export function onLoadCore(command: string, args: readonly string[]): [string, string[]] {
  return pinned(LOAD_CORE, command, args);
}

/** Returns whether a program is installed on the machine. */
export function hasProgram(name: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
}

function pinned(core: string, command: string, args: readonly string[]): [string, string[]] {
  return isPinned ? ["taskset", ["-c", core, command, ...args]] : [command, [...args]];
}

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Returns the ids of a process's children. */
export function childrenOf(pid: number): number[] {
  if (process.platform === "linux") {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  }
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).split("\n");
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([child = 0, parent]) => (parent === pid ? [child] : []));
}

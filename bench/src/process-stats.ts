import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Ticks of the kernel's clock in a second; undefined without a /proc. */
const ticksPerSecond = process.platform === "linux" ? Number(execFileSync("getconf", ["CLK_TCK"])) : undefined;

/**
 * Returns the CPU time that a process has used, user and system, in microseconds; undefined without a /proc (proc(5)).
 */
function cpuMicrosOf(pid: number): number | undefined {
  if (ticksPerSecond === undefined) return undefined;
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name, in parentheses, may have spaces; utime and stime are the 14th and 15th field.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1_000_000;
}

/** Returns the resident memory of a process, in bytes; undefined without a /proc. */
export function residentBytesOf(pid: number): number | undefined {
  if (ticksPerSecond === undefined) return undefined;
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return match ? Number(match[1]) * 1_024 : undefined;
}

/**
 * Measures the CPU time of a process for each unit of work done meanwhile, in microseconds; undefined if there is none.
 */
export async function cpuMicrosEach<T>(
  pid: number,
  run: () => Promise<T>,
  unitsOf: (result: T) => number,
): Promise<{ result: T; units: number; cpuMicros: number | undefined }> {
  const before = cpuMicrosOf(pid);
  const result = await run();
  const after = cpuMicrosOf(pid);
  const units = unitsOf(result);
  const isKnown = before !== undefined && after !== undefined && units > 0;
  return { result, units, cpuMicros: isKnown ? (after - before) / units : undefined };
}

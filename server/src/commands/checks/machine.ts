import { readFileSync } from "node:fs";
import { formatBytes } from "@rollcall/shared/format-bytes";
import { defaultConnectionLimits } from "../../limits.ts";
import { isSupportedNode, NEEDED_NODE } from "../../node-version.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Descriptors beside those of connections: the database, the log, files of the web app. */
const OTHER_FILES = 256;
/** `localhost` listens on two addresses, each with connections of its own. */
const MAX_ADDRESSES = 2;
/**
 * Memory to start with, plus the bytes that calls may hold (`maxHeldBytes`), plus as much for the objects parsed from
 * them.
 */
const NEEDED_MEMORY_BYTES = 640 * 1024 ** 2;

export function checkNode(version: string): Finding {
  return isSupportedNode(version) ? ok(`Node.js ${version}`) : fail(`Node.js ${version}: install ${NEEDED_NODE}`);
}

/** Checks how many descriptors the process may have, on systems that report it (Linux). */
export function checkOpenFiles(path = "/proc/self/limits"): Finding {
  const needed = MAX_ADDRESSES * defaultConnectionLimits.maxConnections + OTHER_FILES;
  const [, soft = ""] = /^Max open files\s+(\S+)/m.exec(readIfThere(path)) ?? [];
  if (soft === "") return ok("open files: this system does not say how many there may be");
  if (soft === "unlimited" || Number(soft) >= needed) return ok(`open files: ${soft} may be open`);
  return warn(`open files: ${soft} may be open, and all connections need ${needed}: raise it (ulimit -n, LimitNOFILE)`);
}

/** @param limitBytes Memory that the process may have; 0 or a huge number if nothing limits it. */
export function checkMemory(limitBytes: number): Finding {
  if (limitBytes === 0 || limitBytes > Number.MAX_SAFE_INTEGER) return ok("memory: nothing limits the process");
  const limit = formatBytes(limitBytes, "en");
  if (limitBytes >= NEEDED_MEMORY_BYTES) return ok(`memory: ${limit}`);
  return warn(`memory: ${limit} may be too little under load: give it ${formatBytes(NEEDED_MEMORY_BYTES, "en")}`);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

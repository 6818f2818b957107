import { statSync } from "node:fs";
import { dirname } from "node:path";

const OTHERS_READ = 0o4;
const OTHERS_WRITE = 0o2;
const OTHERS_ENTER = 0o1;

/**
 * Returns a warning for the log if every user of this machine can read the file; otherwise undefined. A readable file
 * is safe in a folder that nobody else can enter.
 */
export function describeOpenFile(path: string): string | undefined {
  if (!hasModes() || !(statSync(dirname(path)).mode & OTHERS_ENTER)) return undefined;
  if (!(statSync(path).mode & (OTHERS_READ | OTHERS_WRITE))) return undefined;
  return `${path} can be read by every user of this machine: chmod o-rwx ${path}*`;
}

/** Returns a warning if every user of this machine can replace files in the folder. */
export function describeOpenFolder(path: string): string | undefined {
  if (!hasModes() || !(statSync(path).mode & OTHERS_WRITE)) return undefined;
  return `${path} can be written by every user of this machine: chmod o-w ${path}`;
}

function hasModes(): boolean {
  return process.platform !== "win32";
}

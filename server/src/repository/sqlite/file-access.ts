import { statSync } from "node:fs";
import { dirname } from "node:path";

const OTHERS_READ = 0o4;
const OTHERS_WRITE = 0o2;
const OTHERS_ENTER = 0o1;

/**
 * Says, in words for the log, that every user of this machine can read a file, or undefined
 * where none can. A file that is open to all is safe in a folder that nobody else can enter.
 */
export function describeOpenFile(path: string): string | undefined {
  if (!hasModes() || !(statSync(dirname(path)).mode & OTHERS_ENTER)) return undefined;
  if (!(statSync(path).mode & (OTHERS_READ | OTHERS_WRITE))) return undefined;
  return `${path} can be read by every user of this machine: chmod o-rwx ${path}*`;
}

/** The same for a folder in which every user can put other files in the place of those that are there. */
export function describeOpenFolder(path: string): string | undefined {
  if (!hasModes() || !(statSync(path).mode & OTHERS_WRITE)) return undefined;
  return `${path} can be written by every user of this machine: chmod o-w ${path}`;
}

function hasModes(): boolean {
  return process.platform !== "win32";
}

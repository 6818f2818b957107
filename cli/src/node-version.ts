/** Versions of Node.js that the command runs on, as the manifest's `engines` has them, in words. */
export const NEEDED_NODE = "22.13 or newer";

/** Returns whether the command runs on a version of Node.js. */
export function isSupportedNode(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 13);
}

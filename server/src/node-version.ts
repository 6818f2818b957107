/** Versions of Node.js that the server runs on, as the manifest's `engines` has them, in words. */
export const NEEDED_NODE = "22.21, 24.9 or newer";

/** Returns whether the server runs on a version of Node.js. Its HTTP server must support `shouldUpgradeCallback`. */
export function isSupportedNode(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return (major === 22 && minor >= 21) || (major === 24 && minor >= 9) || major > 24;
}

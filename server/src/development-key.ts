import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

const KEY_BYTES = 32;

/**
 * The HS256 secret of a server that has none configured: made at its first start
 * and kept in `path`, so that tokens outlive a restart. For loopback only.
 *
 * @throws Error when the file can't be used.
 */
export function loadDevelopmentKey(path: string): Uint8Array {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(path, randomBytes(KEY_BYTES).toString("base64url"), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const key = Buffer.from(readFileSync(path, "utf8"), "base64url");
  if (key.length !== KEY_BYTES)
    throw new Error(`${path} does not hold a development key; remove it to have a new one made`);
  return key;
}

import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileFault } from "../file-fault.ts";
import { sleepSync } from "../sleep-sync.ts";

const KEY_BYTES = 32;
/** Longest wait for another server that is writing the key at the moment, in milliseconds. */
const MAX_WAIT_MS = 1_000;
const RETRY_MS = 10;

/** The development key can't be used. The message has the reason and its path. */
export class DevelopmentKeyError extends Error {
  override name = "DevelopmentKeyError";
}

/**
 * Returns the HS256 secret of a server that has none configured. It is created at the first start and kept in `path`,
 * so that tokens outlive a restart. For loopback only.
 *
 * @throws DevelopmentKeyError when the file can't be used.
 */
export function loadDevelopmentKey(path: string): Uint8Array {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, randomBytes(KEY_BYTES).toString("base64url"), { flag: "wx", mode: 0o600 });
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST") throw unusable(path, `can't be made (${code})`, error);
  }
  const giveUpAtMs = performance.now() + MAX_WAIT_MS;
  for (;;) {
    const key = Buffer.from(read(path), "base64url");
    if (key.length === KEY_BYTES) return key;
    if (performance.now() > giveUpAtMs) break;
    sleepSync(RETRY_MS);
  }
  throw new DevelopmentKeyError(`${path} does not hold a development key; remove it to have a new one made`);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw unusable(path, fileFault(error), error);
  }
}

function unusable(path: string, fault: string, cause: unknown): DevelopmentKeyError {
  return new DevelopmentKeyError(`the development key ${path} ${fault}`, { cause });
}

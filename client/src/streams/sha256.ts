import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { Sha256 } from "./upload.ts";

/** Creates a hash in JavaScript, for browsers: their own digest needs all of the data in memory. */
export function createSha256(): Sha256 {
  const hash = sha256.create();
  return {
    update(bytes) {
      hash.update(bytes);
    },
    hex: () => bytesToHex(hash.digest()),
  };
}

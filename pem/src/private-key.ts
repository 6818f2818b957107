import { createPrivateKey, type KeyObject } from "node:crypto";
import { blocksOf } from "./blocks.ts";
import { PemError } from "./pem-error.ts";

export interface PrivateKey {
  readonly key: KeyObject;
  /** Block of the key alone. */
  readonly pem: string;
}

/**
 * Reads the first private key of a PEM text. Skips blocks of another kind.
 *
 * @throws PemError for a text without a key, and for a key that is encrypted or broken.
 */
export function readPrivateKey(text: string): PrivateKey {
  const blocks = blocksOf(text, "PRIVATE KEY");
  const block = blocks.find(({ label }) => label.endsWith("PRIVATE KEY"));
  if (!block) throw new PemError(`has no private key in PEM, only a ${blocks[0]?.label}`);
  // PKCS #8 (RFC 7468, 11), and the older form with a header (RFC 1421, 4.6.1.1).
  if (block.label.startsWith("ENCRYPTED") || /^Proc-Type:\s*4,\s*ENCRYPTED/m.test(block.text)) {
    throw new PemError(
      "is an encrypted key, and its passphrase can't be given; " +
        "decrypt it into a file that only its user can read: openssl pkey -in FILE -out NEW-FILE",
    );
  }
  try {
    return { key: createPrivateKey(block.text), pem: block.text };
  } catch (cause) {
    throw new PemError(`is damaged: ${block.place} is not a private key that can be read`, { cause });
  }
}

import type { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { toPem } from "./certificates.ts";
import type { PrivateKey } from "./private-key.ts";

export interface PairFault {
  /** The part that has the fault. */
  readonly part: "cert" | "key";
  /** Words that follow the part's name, such as "is not the key of the certificate". */
  readonly message: string;
}

/**
 * Returns the reason why a chain of certificates and a key can't be used together; undefined if they can. The key's
 * certificate has to come first.
 */
export function findPairFault(
  certificates: readonly X509Certificate[],
  { key, pem }: PrivateKey,
): PairFault | undefined {
  const index = certificates.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (index === -1) return { part: "key", message: "is not the key of the certificate" };
  if (index > 0) {
    const place = `${index + 1} of ${certificates.length}`;
    const message = `is in the wrong order: the certificate of the key is number ${place} and has to be the first, before its issuers`;
    return { part: "cert", message };
  }
  try {
    createSecureContext({ cert: toPem(certificates), key: pem });
    return undefined;
  } catch (error) {
    // OpenSSL's own message, such as "ee key too small".
    const { reason = "unknown reason" } = error as { reason?: string };
    return { part: "cert", message: `can't be used for TLS: ${reason}` };
  }
}

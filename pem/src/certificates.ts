import { X509Certificate } from "node:crypto";
import { blocksOf } from "./blocks.ts";
import { PemError } from "./pem-error.ts";

/** Labels that OpenSSL accepts for a certificate. */
const LABELS = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

/**
 * Reads every certificate of a PEM text, in order. Skips blocks of another kind, such as keys.
 *
 * @throws PemError for a text without a certificate, and for a broken block, which the error names by its number.
 */
export function readCertificates(text: string): X509Certificate[] {
  const blocks = blocksOf(text, "CERTIFICATE");
  const certificates = blocks
    .filter(({ label }) => LABELS.includes(label))
    .map((block) => {
      try {
        return new X509Certificate(block.text);
      } catch (cause) {
        throw new PemError(`is damaged: ${block.place} is not a certificate that can be read`, { cause });
      }
    });
  if (certificates.length === 0) throw new PemError(`has no certificate in PEM, only a ${blocks[0]?.label}`);
  return certificates;
}

/** Returns the certificates as a PEM text that OpenSSL reads completely. */
export function toPem(certificates: readonly X509Certificate[]): string {
  return certificates.join("");
}

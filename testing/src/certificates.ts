// @peculiar/x509 needs this import before its own.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 24 * 60 * 60 * 1_000;

/** A certificate and its private key, in PEM. */
export interface Credentials {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  /** Common name, for people. */
  commonName: string;
  /** Host names and IP addresses that the certificate is for. */
  hosts?: readonly string[];
  /** URIs that it is for, such as a SPIFFE ID. */
  uris?: readonly string[];
  emails?: readonly string[];
  /** Default: now, and 397 days later, which is the most that browsers accept. */
  notBefore?: Date;
  notAfter?: Date;
}

/** A private certificate authority, for development and tests. */
export interface CertificateAuthority extends Credentials {
  /** Issues a certificate for a server and for a client. */
  issue(options: IssueOptions): Promise<Credentials>;
}

x509.cryptoProvider.set(webcrypto as Crypto);

export async function createCertificateAuthority(commonName: string): Promise<CertificateAuthority> {
  const caKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${commonName}`,
    keys: caKeys,
    signingAlgorithm: ALGORITHM,
    notAfter: new Date(Date.now() + 3_650 * DAY_MS),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  return {
    ...(await toPem(ca, caKeys.privateKey)),
    async issue(options) {
      const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
      const certificate = await x509.X509CertificateGenerator.create({
        ...leafOf(options),
        subject: `CN=${options.commonName}`,
        issuer: ca.subject,
        publicKey: keys.publicKey,
        signingKey: caKeys.privateKey,
        extensions: [...leafOf(options).extensions, await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey)],
      });
      return toPem(certificate, keys.privateKey);
    },
  };
}

/** Creates a certificate that no authority has signed. */
export async function createSelfSigned(options: IssueOptions): Promise<Credentials> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const name = `CN=${options.commonName}`;
  return toPem(
    await x509.X509CertificateGenerator.createSelfSigned({ ...leafOf(options), name, keys }),
    keys.privateKey,
  );
}

/** Returns the fields of all certificates except those of authorities. */
function leafOf({ hosts = [], uris = [], emails = [], notBefore, notAfter }: IssueOptions) {
  const names = [
    ...hosts.map((value) => ({ type: isIP(value) ? ("ip" as const) : ("dns" as const), value })),
    ...uris.map((value) => ({ type: "url" as const, value })),
    ...emails.map((value) => ({ type: "email" as const, value })),
  ];
  return {
    signingAlgorithm: ALGORITHM,
    notBefore: notBefore ?? new Date(Date.now() - DAY_MS),
    notAfter: notAfter ?? new Date(Date.now() + 396 * DAY_MS),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  };
}

async function toPem(certificate: x509.X509Certificate, key: webcrypto.CryptoKey): Promise<Credentials> {
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", key);
  return { cert: certificate.toString("pem"), key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY") };
}

import type { TLSSocket } from "node:tls";
import type { ClientCertificate } from "../../rpc/auth/client-certificate.ts";

/** Kinds of names that may stand for a service; others, such as addresses, do not. */
const KINDS: ReadonlySet<string> = new Set(["DNS", "URI", "email"]);

/** Returns the certificate that the client of a connection has proven to own; undefined if it has none. */
export function clientCertificateOf(socket: TLSSocket): ClientCertificate | undefined {
  if (!socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return undefined;
  return {
    identities: parseAlternativeNames(certificate.subjectAltName ?? ""),
    expiresAtMs: certificate.validToDate.getTime(),
  };
}

/**
 * Parses the names of a certificate as Node.js prints them, such as `DNS:a.example, URI:"spiffe://a, b"`: a name that
 * could be taken for several is a JSON string (CVE-2021-44532). Returns none at all if a part can't be read.
 */
export function parseAlternativeNames(text: string): string[] {
  const identities: string[] = [];
  const entry = /([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;
  while (entry.lastIndex < text.length) {
    const [, kind = "", printed = ""] = entry.exec(text) ?? [];
    if (kind === "") return [];
    const name = printed.startsWith('"') ? parseQuoted(printed) : printed;
    if (name === undefined) return [];
    // Host names have no case (RFC 4343).
    if (KINDS.has(kind)) identities.push(`${kind}:${kind === "DNS" ? name.toLowerCase() : name}`);
  }
  return identities;
}

function parseQuoted(text: string): string | undefined {
  try {
    return String(JSON.parse(text));
  } catch {
    return undefined;
  }
}

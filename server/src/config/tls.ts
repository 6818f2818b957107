import { resolve } from "node:path";
import { findPairFault, PemError, readCertificates, readPrivateKey, toPem } from "@rollcall/pem";
import { fileFault } from "@rollcall/shared/file-fault";
import type { Reader } from "@rollcall/shared/settings/reader";
import { type ClientScopesSources, parseClientScopes } from "./client-scopes.ts";

export interface FileSources {
  /** Folder that relative paths start from. */
  rootDir: string;
  /** @throws Error with a `code` when the file can't be read. */
  readFile(path: string): string;
}

/** Certificates and key, all in PEM. */
export interface TlsConfig {
  /** The server's certificate, followed by its issuers. */
  readonly cert: string;
  readonly key: string;
  /** Certificate authorities of clients. */
  readonly clientCa: string | undefined;
  /** Scopes of clients by an identity of their certificates. */
  readonly clientScopes: Readonly<Record<string, readonly string[]>> | undefined;
  /** Absolute path of the certificate. */
  readonly certFile: string;
  /** Absolute paths of all files that were read. */
  readonly files: readonly string[];
}

const FILES = ["TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE", "TLS_CLIENT_SCOPES_FILE"];

/** Reads the TLS files, each completely, and checks that certificate and key fit. Adds faults to `problems`. */
export function parseTls(read: Reader, sources: ClientScopesSources, problems: string[]): TlsConfig | undefined {
  const { rootDir, readFile } = sources;
  const load = <T>(name: string, parse: (text: string) => T): T | undefined => {
    const path = read.text(name);
    if (path === undefined) return undefined;
    try {
      return parse(readFile(resolve(rootDir, path)));
    } catch (error) {
      problems.push(`${name}: ${path} ${error instanceof PemError ? error.message : fileFault(error)}`);
      return undefined;
    }
  };
  const certificates = load("TLS_CERT_FILE", readCertificates);
  const key = load("TLS_KEY_FILE", readPrivateKey);
  const clientCa = load("TLS_CLIENT_CA_FILE", readCertificates);
  const clientScopes = parseClientScopes(read, sources, problems);
  const isSet = (name: string) => read.text(name) !== undefined;
  if (isSet("TLS_CERT_FILE") && !isSet("TLS_KEY_FILE")) problems.push("TLS_KEY_FILE: must be set with TLS_CERT_FILE");
  if (isSet("TLS_KEY_FILE") && !isSet("TLS_CERT_FILE")) problems.push("TLS_CERT_FILE: must be set with TLS_KEY_FILE");
  if (isSet("TLS_CLIENT_CA_FILE") && !isSet("TLS_CERT_FILE")) problems.push("TLS_CLIENT_CA_FILE: needs TLS_CERT_FILE");
  const files = FILES.flatMap((name) => read.text(name) ?? []).map((path) => resolve(rootDir, path));
  const [certFile] = files;
  if (certificates === undefined || key === undefined || certFile === undefined) return undefined;
  const fault = findPairFault(certificates, key);
  if (fault) {
    const name = fault.part === "cert" ? "TLS_CERT_FILE" : "TLS_KEY_FILE";
    const of = fault.part === "key" ? " in TLS_CERT_FILE" : "";
    problems.push(`${name}: ${read.text(name)} ${fault.message}${of}`);
  }
  return {
    cert: toPem(certificates),
    key: key.pem,
    clientCa: clientCa && toPem(clientCa),
    clientScopes,
    certFile,
    files,
  };
}

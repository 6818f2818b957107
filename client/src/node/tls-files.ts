import { readFileSync } from "node:fs";
import { findPairFault, PemError, readCertificates, readPrivateKey, toPem } from "@rollcall/pem";
import { fileFault } from "@rollcall/shared/file-fault";
import { checkOptions } from "../internal/check-options.ts";
import type { TlsClientOptions } from "./http/open-socket.ts";

/** TLS files: each is a PEM text, or the path of a PEM file, which is read once. */
export interface TlsFiles {
  /** Certificate authorities to trust instead of those that Node.js trusts. */
  ca?: string | undefined;
  /** Client's certificate, for a server that asks for one (mutual TLS), and its issuers; needs `key`. */
  cert?: string | undefined;
  /** Private key of `cert`. */
  key?: string | undefined;
}

/**
 * Loads the files, each completely.
 *
 * @throws TypeError for a file that can't be read, is partly broken or lacks its content, and if `cert` and `key` do
 * not belong together.
 */
export function loadTls(files: TlsFiles = {}): TlsClientOptions {
  checkOptions(files, { ca: "string", cert: "string", key: "string" }, "tls.");
  const { ca, cert, key } = files;
  if ((cert === undefined) !== (key === undefined)) throw new TypeError("tls.cert and tls.key go together");
  const authorities = load("ca", ca, readCertificates);
  const certificates = load("cert", cert, readCertificates);
  const privateKey = load("key", key, readPrivateKey);
  if (certificates && privateKey) {
    const fault = findPairFault(certificates, privateKey);
    const of = fault?.part === "key" ? " in tls.cert" : "";
    if (fault) throw new TypeError(`tls.${fault.part} ${fault.message}${of}`);
  }
  return {
    ca: authorities && toPem(authorities),
    cert: certificates && toPem(certificates),
    key: privateKey?.pem,
  };
}

function load<T>(option: keyof TlsFiles, textOrPath: string | undefined, parse: (text: string) => T): T | undefined {
  if (textOrPath === undefined) return undefined;
  const isPath = !textOrPath.includes("-----BEGIN") && textOrPath.trim() !== "";
  try {
    return parse(isPath ? readFileSync(textOrPath, "utf8") : textOrPath);
  } catch (cause) {
    const name = isPath ? `tls.${option}: ${textOrPath}` : `tls.${option}`;
    throw new TypeError(`${name} ${cause instanceof PemError ? cause.message : fileFault(cause)}`, { cause });
  }
}

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TlsClientOptions } from "./http/open-socket.ts";

/** Each is a PEM text, or the path of a PEM file, which is read once. */
export interface TlsFiles {
  /** Authorities to trust instead of those that Node trusts. */
  ca?: string | undefined;
  /** The client's certificate, for a server that asks for one (mutual TLS); needs `key`. */
  cert?: string | undefined;
  /** Private key of `cert`. */
  key?: string | undefined;
}

/** @throws Error for a file that can't be read, one without a certificate or key, and for a certificate without its key. */
export function loadTls({ ca, cert, key }: TlsFiles = {}): TlsClientOptions {
  if ((cert === undefined) !== (key === undefined)) throw new TypeError("tls.cert and tls.key go together");
  return {
    ca: pem(ca, "ca", certificate),
    cert: pem(cert, "cert", certificate),
    key: pem(key, "key", privateKey),
  };
}

/** The part that a PEM text must have, and how to read the first one; reading throws where there is none. */
interface Content {
  readonly name: string;
  parse(text: string): unknown;
}

const certificate: Content = { name: "certificate", parse: (text) => new X509Certificate(text) };
const privateKey: Content = { name: "private key", parse: createPrivateKey };

function pem(textOrPath: string | undefined, option: keyof TlsFiles, content: Content): string | undefined {
  if (textOrPath === undefined) return undefined;
  const isText = textOrPath.includes("-----BEGIN");
  const text = isText ? textOrPath : readFileSync(textOrPath, "utf8");
  try {
    content.parse(text);
  } catch (cause) {
    throw new TypeError(`${isText ? `tls.${option}` : textOrPath} has no ${content.name} in PEM`, { cause });
  }
  return text;
}

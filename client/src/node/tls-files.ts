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

/** @throws Error for a file that can't be read, and for a certificate without its key. */
export function loadTls({ ca, cert, key }: TlsFiles = {}): TlsClientOptions {
  if ((cert === undefined) !== (key === undefined)) throw new TypeError("tls.cert and tls.key go together");
  return { ca: pem(ca), cert: pem(cert), key: pem(key) };
}

function pem(textOrPath: string | undefined): string | undefined {
  if (textOrPath === undefined || textOrPath.includes("-----BEGIN")) return textOrPath;
  return readFileSync(textOrPath, "utf8");
}

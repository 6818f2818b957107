import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { mintToken, SCOPES } from "@rollcall/server";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import type { Options } from "./options.ts";

const TOKEN_TTL_SECONDS = 24 * 60 * 60;

/** On the repository's disk: a temporary folder may be in memory, where an fsync is free. */
const dataFolder = join(import.meta.dirname, "../data");

/** Context that all measurements of a run share. */
export interface Context {
  readonly options: Options;
  /** Removed when the process exits. */
  readonly folder: string;
  readonly secret: string;
  /** A token with all scopes. */
  readonly token: string;
  readonly tls: TlsFiles;
  /** Base URL of an OTLP receiver that drops everything. */
  readonly otlpEndpoint: string;
}

/** Paths of PEM files. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** The authority's certificate itself. */
  readonly ca: string;
}

/** Creates folder, secret, token and certificate of a run. */
export async function createContext(options: Options): Promise<Context> {
  mkdirSync(dataFolder, { recursive: true });
  const folder = mkdtempSync(join(dataFolder, "run-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const secret = randomBytes(32).toString("hex");
  const key = new TextEncoder().encode(secret);
  const token = await mintToken({ secret: key, subject: "bench", scopes: SCOPES, ttlSeconds: TOKEN_TTL_SECONDS });
  return {
    options,
    folder,
    secret,
    token,
    tls: await writeCertificate(join(folder, "tls")),
    otlpEndpoint: await startOtlpSink(),
  };
}

/** Starts the receiver. It keeps no process alive. */
async function startOtlpSink(): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().once("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end());
  });
  server.listen(0, "127.0.0.1").unref();
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function writeCertificate(folder: string): Promise<TlsFiles> {
  const authority = await createCertificateAuthority("Rollcall bench");
  const { cert, key } = await authority.issue({ commonName: "localhost", hosts: ["localhost", "127.0.0.1"] });
  const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem"), ca: authority.cert };
  mkdirSync(folder);
  writeFileSync(files.certFile, cert);
  writeFileSync(files.keyFile, key, { mode: 0o600 });
  return files;
}

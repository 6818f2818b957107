/**
 * `pnpm dev:cert`: writes a local certificate authority, and its certificates for localhost and for a client, to .cert.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Credentials, createCertificateAuthority } from "@rollcall/testing/certificates";

const folder = join(import.meta.dirname, "../.cert");
mkdirSync(folder, { recursive: true, mode: 0o700 });

function save(name: string, { cert, key }: Credentials): void {
  writeFileSync(join(folder, `${name}.pem`), `${cert}\n`);
  writeFileSync(join(folder, `${name}-key.pem`), `${key}\n`, { mode: 0o600 });
}

const authority = await createCertificateAuthority("Rollcall development CA");
save("ca", authority);
save("server", await authority.issue({ commonName: "Rollcall development", hosts: ["localhost", "127.0.0.1", "::1"] }));
save("client", await authority.issue({ commonName: "Rollcall development client" }));

console.log(`Made .cert. Serve TLS with:
  TLS_CERT_FILE=.cert/server.pem TLS_KEY_FILE=.cert/server-key.pem npx -y pnpm@12 start
and call it with:
  curl --cacert .cert/ca.pem https://localhost:8080/healthz`);

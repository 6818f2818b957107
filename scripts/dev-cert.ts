/**
 * `pnpm dev:cert [FOLDER]`: writes a local certificate authority, and its certificates for localhost and for a client,
 * to the folder. Default: .cert.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { type Credentials, createCertificateAuthority } from "@rollcall/testing/certificates";

/** Identity of the client, as TLS_CLIENT_SCOPES names it after `URI:`. */
const CLIENT_URI = "spiffe://localhost/client";

const root = join(import.meta.dirname, "..");
const folder = resolve(process.argv[2] ?? join(root, ".cert"));
mkdirSync(folder, { recursive: true, mode: 0o700 });

function save(name: string, { cert, key }: Credentials): void {
  writeFileSync(join(folder, `${name}.pem`), `${cert}\n`);
  writeFileSync(join(folder, `${name}-key.pem`), `${key}\n`, { mode: 0o600 });
}

const authority = await createCertificateAuthority("Rollcall development CA");
save("ca", authority);
save("server", await authority.issue({ commonName: "Rollcall development", hosts: ["localhost", "127.0.0.1", "::1"] }));
save("client", await authority.issue({ commonName: "Rollcall development client", uris: [CLIENT_URI] }));

// The server and the commands below start in the repository's folder.
const path = relative(root, folder);
console.log(`Made ${path}. Serve TLS with:
  TLS_CERT_FILE=${path}/server.pem TLS_KEY_FILE=${path}/server-key.pem npx -y pnpm@12 start
and call it with:
  curl --cacert ${path}/ca.pem https://localhost:8080/healthz
Add this in front of the first command, and only clients with a certificate are let in, this one without a token:
  TLS_CLIENT_CA_FILE=${path}/ca.pem TLS_CLIENT_SCOPES="URI:${CLIENT_URI}=users:read users:write streams"
and call it with:
  npx rollcall users list --address https://localhost:8080 --ca ${path}/ca.pem --cert ${path}/client.pem \\
    --key ${path}/client-key.pem`);

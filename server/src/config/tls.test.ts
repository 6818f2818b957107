import { createPrivateKey } from "node:crypto";
import { createReader } from "@rollcall/shared/settings/reader";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { expect, test } from "vitest";
import { parseTls } from "./tls.ts";

const authority = await createCertificateAuthority("Test CA");
const server = await authority.issue({ commonName: "Server", hosts: ["localhost"] });
const passphrase = { cipher: "aes-256-cbc", passphrase: "secret" };
const files: Record<string, string> = {
  "/app/cert.pem": server.cert,
  "/app/key.pem": server.key,
  "/app/empty.pem": "",
  "/app/other-key.pem": authority.key,
  "/app/encrypted-key.pem": createPrivateKey(server.key)
    .export({ type: "pkcs8", format: "pem", ...passphrase })
    .toString(),
  "/app/bundle.pem": `${authority.cert}\n${server.cert}`,
  "/app/broken-bundle.pem": `${authority.cert}\n${server.cert.replace(/\n.+\n/, "\n")}`,
};

function parse(env: Record<string, string>) {
  const problems: string[] = [];
  const read = createReader({ TLS_CERT_FILE: "cert.pem", TLS_KEY_FILE: "key.pem", ...env }, problems);
  const readFile = (path: string) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error("no"), { code: path === "/app" ? "EISDIR" : "ENOENT" });
    return text;
  };
  return { tls: parseTls(read, { rootDir: "/app", readFile, scopes: ["users:read", "streams"] }, problems), problems };
}

test.each([
  [{ TLS_CERT_FILE: "empty.pem" }, "TLS_CERT_FILE: empty.pem is empty"],
  [{ TLS_KEY_FILE: "empty.pem" }, "TLS_KEY_FILE: empty.pem is empty"],
  [{ TLS_CERT_FILE: "no.pem" }, "TLS_CERT_FILE: no.pem does not exist"],
  [{ TLS_CLIENT_CA_FILE: "/app" }, "TLS_CLIENT_CA_FILE: /app is a folder, not a file"],
  [{ TLS_KEY_FILE: "encrypted-key.pem" }, "TLS_KEY_FILE: encrypted-key.pem is an encrypted key"],
  [{ TLS_KEY_FILE: "other-key.pem" }, "TLS_KEY_FILE: other-key.pem is not the key of the certificate in TLS_CERT_FILE"],
  [{ TLS_CERT_FILE: "bundle.pem" }, "TLS_CERT_FILE: bundle.pem is in the wrong order: the certificate of the key"],
  [{ TLS_CLIENT_CA_FILE: "broken-bundle.pem" }, "TLS_CLIENT_CA_FILE: broken-bundle.pem is damaged: block 2 of 2"],
])("%j is refused with a reason", (env, words) => {
  expect(parse(env).problems).toEqual([expect.stringContaining(words)]);
});

test("a bundle is read completely", () => {
  const { tls, problems } = parse({ TLS_CLIENT_CA_FILE: "bundle.pem" });
  expect(problems).toEqual([]);
  expect(tls?.clientCa).toBe(`${authority.cert}\n${server.cert}\n`);
});

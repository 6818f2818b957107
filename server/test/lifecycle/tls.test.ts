import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { startProcess } from "@rollcall/testing/start-process";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { afterAll, describe, expect, test } from "vitest";

const authority = await createCertificateAuthority("Test CA");
const stranger = await createCertificateAuthority("Other CA");
const hosts = ["localhost", "127.0.0.1"];
const past = { notBefore: new Date("2020-01-01"), notAfter: new Date("2021-01-01") };
const good = await authority.issue({ commonName: "server", hosts });
const expired = await authority.issue({ commonName: "server", hosts, ...past });
const known = await authority.issue({ commonName: "client" });
const unknown = await stranger.issue({ commonName: "client" });

const folder = mkdtempSync(join(tmpdir(), "rollcall-tls-"));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

/** Makes a handshake, and waits for the end of its connection. */
async function connect({ port }: TestServer, options: tls.ConnectionOptions): Promise<void> {
  const socket = tls.connect({ port, host: "127.0.0.1", servername: "localhost", ca: authority.cert, ...options });
  socket.on("error", () => {}).resume();
  await new Promise((resolve) => socket.once("close", resolve));
}

const handshakeLines = ({ log }: TestServer) =>
  log.filter(({ msg }) => ["TLS handshake failed", "client certificate refused"].includes(msg as string));

describe("a handshake that fails is one line with peer and reason", () => {
  const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT:@SECLEVEL=0" } as const;
  const refused = "client certificate refused";
  const failed = "TLS handshake failed";

  test.each<[string, (server: TestServer) => Promise<unknown>, string, string]>([
    ["no client certificate", (server) => connect(server, {}), refused, "the client sent none"],
    [
      "a foreign client certificate",
      (server) => connect(server, unknown),
      refused,
      "no authority that is trusted has signed it",
    ],
    [
      "the same over TLS 1.2",
      (server) => connect(server, { ...unknown, maxVersion: "TLSv1.2" }),
      refused,
      "no authority that is trusted has signed it",
    ],
    ["a late client certificate", (server) => connect(server, expired), refused, "it or its authority has expired"],
    ["TLS 1.1", (server) => connect(server, old), failed, "no version of TLS in common: 1.2 is the lowest"],
    [
      "a client that does not trust the server",
      (server) => connect(server, { ca: stranger.cert }),
      failed,
      "the client closed the connection, as clients do that don't trust the server's certificate",
    ],
    [
      "plaintext",
      ({ port }) => once(http.get({ port, host: "127.0.0.1" }), "error"),
      failed,
      "the client does not speak TLS",
    ],
  ])("%s", async (_name, act, msg, reason) => {
    await using server = await startServer({ tls: { ...good, clientCa: authority.cert } });
    await act(server);
    const line = await until(() => handshakeLines(server)[0]);
    expect(line).toMatchObject({
      level: "info",
      msg,
      reason,
      count: 1,
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    });
    // The control: a client that is let in has no line.
    const socket = tls.connect({ port: server.port, host: "127.0.0.1", ca: authority.cert, ...known });
    await once(socket, "session");
    socket.destroy();
    expect(handshakeLines(server)).toHaveLength(1);
  });
});

test("failed handshakes have ten lines a minute, and a probe that only connects has none above debug", async () => {
  await using server = await startServer({ tls: { ...good, clientCa: authority.cert } });
  for (let count = 0; count < 25; count++) await connect(server, {});
  const probe = net.connect(server.port, "127.0.0.1", () => probe.destroy());
  const probed = await until(() => server.log.find(({ msg }) => msg === "connection without a TLS handshake"));
  expect(probed).toMatchObject({ level: "debug" });
  expect(handshakeLines(server)).toHaveLength(10);
});

describe("a start", () => {
  test("with a certificate that has expired serves it, and says so", async () => {
    const env = { TLS_CERT_FILE: write("cert.pem", expired.cert), TLS_KEY_FILE: write("key.pem", expired.key) };
    await using server = await startProcess({ env });
    expect(server.output()).toMatch(/"level":"error".*"of":"server".*"notAfter":"2021-01-01.*certificate has expired/);
  });

  test("of an app refuses a bundle with a broken part, as the settings do", async () => {
    const broken = `${authority.cert}\n${stranger.cert.replace(/\n.+\n/, "\n")}`;
    await expect(startServer({ tls: { ...good, clientCa: broken } })).rejects.toThrow("block 2 of 2");
  });
});

test("every authority of a bundle is trusted, also where its parts share a line", async () => {
  const bundle = stranger.cert.trimEnd() + authority.cert;
  await using server = await startServer({ tls: { ...good, clientCa: bundle } });
  for (const client of [known, unknown]) {
    const socket = tls.connect({ port: server.port, host: "127.0.0.1", ca: authority.cert, ...client });
    await once(socket, "session");
    socket.destroy();
  }
});

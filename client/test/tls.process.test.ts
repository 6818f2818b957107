import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { Code, type ConnectError } from "@connectrpc/connect";
import { createCertificateAuthority, createSelfSigned } from "@rollcall/testing/certificates";
import { rollcall, rollcallInside } from "@rollcall/testing/run-rollcall";
import { startServer, until } from "@rollcall/testing/start-server";
import { startTcpServer } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import { RequestNotSentError } from "../src/index.ts";
import { startSocket } from "../src/node/http/open-socket.ts";
import { createRollcall, type NodeRollcallOptions } from "../src/node/index.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

const authority = await createCertificateAuthority("Test CA");
const hosts = ["localhost", "127.0.0.1"];
const good = await authority.issue({ commonName: "server", hosts });

const expired = await authority.issue({
  commonName: "server",
  hosts,
  notBefore: new Date("2020-01-01"),
  notAfter: new Date("2021-01-01"),
});
const early = await authority.issue({
  commonName: "server",
  hosts,
  notBefore: new Date("2100-01-01"),
  notAfter: new Date("2101-01-01"),
});
const elsewhere = await authority.issue({ commonName: "server", hosts: ["elsewhere.example.com"] });
const selfSigned = await createSelfSigned({ commonName: "server", hosts });
const stranger = await createCertificateAuthority("Stranger");
const foreign = await stranger.issue({ commonName: "client" });

test.each([
  ["127.0.0.1", "127.0.0.1", undefined],
  ["::1", "0:0::1", undefined],
  ["::1", "127.0.0.1", /is not for ::1, but for 127\.0\.0\.1$/],
  ["::1", "elsewhere.example.com", /is not for ::1, but for elsewhere\.example\.com$/],
  ["127.0.0.1", "localhost", /is not for 127\.0\.0\.1, but for localhost$/],
])("at the address %s, with a certificate for %s", async (host, named, fault) => {
  await using server = await startServer({ host, tls: await authority.issue({ commonName: host, hosts: [named] }) });
  const options = { baseUrl: server.url, tls: { ca: authority.cert }, token: await server.token() };
  if (fault) return await expectRefusal(options, fault);
  await using client = createRollcall(options);
  expect((await client.users.list()).users).toEqual([]);
});

/** Starts a TLS server with options that Rollcall does not have. It never answers. */
async function startTlsServer(options: tls.TlsOptions): Promise<AsyncDisposable & { url: string }> {
  const server = tls.createServer(options);
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

/** Makes a call that has to fail with these words, permanently: the client neither waits nor tries again. */
async function expectRefusal(options: NodeRollcallOptions, message: RegExp): Promise<void> {
  let retries = 0;
  await using client = createRollcall({ retry: { onRetry: () => retries++ }, timeoutMs: 60_000, ...options });
  const error = await client.users.list().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: expect.stringMatching(message) });
  expect((error as ConnectError).cause).toBeInstanceOf(RequestNotSentError);
  expect((error as ConnectError).cause).toMatchObject({ isTransient: false });
  expect(retries).toBe(0);
}

const UNTRUSTED_CLIENT = /the server does not trust the authority of this client's certificate, tls\.cert$/;

const wires = [
  { protocol: "grpc" },
  { protocol: "grpc-web" },
  { protocol: "connect" },
  { protocol: "grpc-web", httpVersion: "1.1" },
  { protocol: "connect", httpVersion: "1.1" },
] satisfies Partial<NodeRollcallOptions>[];

for (const wire of wires) {
  const name = `${wire.protocol} over HTTP/${wire.httpVersion ?? "2"}`;

  test(`TLS with a CA in PEM, by ${name}`, async () => {
    await using server = await startServer({ tls: good });
    const options = { baseUrl: server.url, token: await server.token(), ...wire };
    await using client = createRollcall({ ...options, tls: { ca: authority.cert } });
    expect((await client.users.list()).users).toEqual([]);
    const receipt = await client.streams.upload(new Blob(["x".repeat(300_000)]));
    expect(receipt.totalBytes).toBe(300_000);
  });

  test(`what is wrong with a certificate is said at once and in words, by ${name}`, async () => {
    const cases = [
      {
        tls: good,
        ca: stranger.cert,
        message: /is of an authority that is not trusted; give the authority's as tls\.ca/,
      },
      { tls: selfSigned, ca: stranger.cert, message: /is signed by itself, and not trusted; give it as tls\.ca/ },
      { tls: expired, ca: authority.cert, message: /has expired, or this machine's clock is wrong/ },
      { tls: early, ca: authority.cert, message: /is not valid yet, or this machine's clock is wrong/ },
      { tls: elsewhere, ca: authority.cert, message: /is not for localhost, but for elsewhere\.example\.com$/ },
    ];
    for (const { tls, ca, message } of cases) {
      await using server = await startServer({ tls });
      await expectRefusal({ baseUrl: server.url, tls: { ca }, ...wire }, message);
    }
  });

  test(`a server that refuses the client, its version or its kind of connection says so in words, by ${name}`, async () => {
    const mutual = { ...good, clientCa: authority.cert };
    const tls = { ca: authority.cert };
    await using server = await startServer({ tls: mutual });
    const baseUrl = server.url;
    await expectRefusal(
      { baseUrl, tls, ...wire },
      /the server asks for a client certificate; give tls\.cert and tls\.key$/,
    );
    await expectRefusal(
      { baseUrl, tls: { ...tls, ...foreign }, ...wire },
      /closed .* after the TLS handshake; it may refuse .* tls\.cert$/,
    );
    await expectRefusal({ baseUrl, tls: { ...tls, ...expired }, ...wire }, /tls\.cert, has expired on 2021-01-01$/);
    await expectRefusal(
      { baseUrl: baseUrl.replace("https:", "http:"), ...wire },
      /the server speaks TLS; its address has to begin with https/,
    );
    await using plain = await startServer();
    await expectRefusal(
      { baseUrl: plain.url.replace("http:", "https:"), tls, ...wire },
      /the server does not speak TLS/,
    );
    const old = { ...good, ca: authority.cert, requestCert: true, rejectUnauthorized: true } as const;
    await using noCommonVersion = await startTlsServer({
      ...good,
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
      ciphers: "DEFAULT:@SECLEVEL=0",
    });
    await expectRefusal(
      { baseUrl: noCommonVersion.url, tls, ...wire },
      /no version of TLS in common: this client speaks 1\.2 and 1\.3$/,
    );
    await using tls12 = await startTlsServer({ ...old, maxVersion: "TLSv1.2" });
    await expectRefusal(
      { baseUrl: tls12.url, tls, ...wire },
      /refuses the handshake: no cipher in common, or it asks for a client certificate/,
    );
  });

  test(`mutual TLS, by ${name}`, async () => {
    await using server = await startServer({ tls: { ...good, clientCa: authority.cert } });
    const options = { baseUrl: server.url, token: await server.token(), retry: false as const, ...wire };
    const { cert, key } = await authority.issue({ commonName: "client" });
    await using known = createRollcall({ ...options, tls: { ca: authority.cert, cert, key } });
    expect((await known.users.list()).users).toEqual([]);
    await using unknown = createRollcall({ ...options, tls: { ca: authority.cert } });
    await expect(unknown.users.list()).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: expect.stringContaining("the server asks for a client certificate"),
    });
  });
}

test("a refusal that came while the event loop was busy is seen", async () => {
  await using server = await startServer({ tls: { ...good, clientCa: authority.cert } });
  const tls = { ca: authority.cert, ...expired };
  const { socket, ready } = startSocket(server.url, { tls, alpn: "http/1.1", connectTimeoutMs: 60_000 });
  // Longer than the client waits for a refusal.
  const keepBusy = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500);
  socket.once("secureConnect", () => setImmediate(keepBusy));
  await expect(ready).rejects.toMatchObject({
    rawMessage: expect.stringMatching(/tls\.cert, has expired on 2021-01-01$/),
  });
});

test("certificates may be files, for the library and for the command", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-tls-"));
  await using server = await startServer({ tls: { ...good, clientCa: authority.cert } });
  const { cert, key } = await authority.issue({ commonName: "client" });
  const files = { ca: authority.cert, cert, key };
  const paths = Object.fromEntries(Object.keys(files).map((name) => [name, join(folder.path, `${name}.pem`)]));
  for (const [name, text] of Object.entries(files)) await writeFile(paths[name] as string, text);
  const token = await server.token();
  await using client = createRollcall({ baseUrl: server.url, token, tls: paths });
  await client.users.create({ email: "ada@example.com", name: "Ada" });
  const tlsOptions = Object.entries(paths).flatMap(([name, path]) => [`--${name}`, path]);
  const list = await rollcall(["users", "list", ...tlsOptions], {
    env: { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: token },
  });
  expect(list).toMatchObject({ code: 0, stdout: expect.stringContaining("ada@example.com") });
});

test("a handshake that is cut is said so, and tried again until the wait is over", async () => {
  let count = 0;
  await using server = await startTcpServer((socket) => {
    count += 1;
    socket.once("data", () => socket.destroy());
  });
  const address = server.url.replace("http:", "https:");
  await using client = createRollcall({ baseUrl: address, retry: false, pool: { waitTimeoutMs: 300 } });
  await expect(client.users.list({}, { timeoutMs: 60_000 })).rejects.toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringContaining("the server closed the connection in the TLS handshake; it may speak no TLS"),
  });
  expect(count).toBeGreaterThan(1);
});

test("a plaintext server that closes connections is not taken for one of TLS", async () => {
  await using server = await startTcpServer((socket) => socket.once("data", () => socket.destroy()));
  for (const httpVersion of ["1.1", "2"] as const) {
    const options = { baseUrl: server.url, protocol: "connect", httpVersion, retry: false } as const;
    await using client = createRollcall({ ...options, pool: { waitTimeoutMs: 0 } });
    const error = await client.users.list().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: expect.not.stringContaining("TLS") });
  }
});

test("the command says what is wrong by its own options, and exits with 1", async () => {
  await using server = await startServer({ tls: { ...good, clientCa: authority.cert } });
  const list = (...args: string[]) => rollcallInside(["users", "list", "--address", server.url, ...args]);
  expect(await list()).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("unavailable: https://localhost:"),
  });
  expect((await list()).stderr).toContain("give the authority's as --ca");
  expect(await list("--ca", authority.cert)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/the server asks for a client certificate; give --cert and --key\n$/),
  });
  // The environment names the authority too.
  const env = { ROLLCALL_ADDRESS: server.url, ROLLCALL_CA: authority.cert };
  expect((await rollcall(["users", "list"], { env })).stderr).toContain("--cert and --key");
});

const hasOpenSsl = spawnSync("openssl", ["version"]).error === undefined;

test("an alert that comes after the handshake, as OpenSSL sends for a foreign certificate", async ({ skip }) => {
  skip(!hasOpenSsl, "openssl is not installed");
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-tls-"));
  const files = Object.entries({ cert: good.cert, key: good.key, ca: authority.cert });
  for (const [name, text] of files) await writeFile(join(folder.path, name), text);
  const options = "-accept 0 -cert cert -key key -CAfile ca -Verify 1 -verify_return_error -alpn h2,http/1.1";
  const child = spawn("openssl", ["s_server", ...options.split(" ")], {
    cwd: folder.path,
    stdio: ["pipe", "pipe", "ignore"],
  });
  try {
    let output = "";
    child.stdout.on("data", (bytes) => {
      output += bytes;
    });
    const port = await until(() => /^ACCEPT .*:(\d+)$/m.exec(output)?.[1]);
    for (const wire of wires) {
      const tls = { ca: authority.cert, ...foreign };
      await expectRefusal({ baseUrl: `https://localhost:${port}`, tls, ...wire }, UNTRUSTED_CLIENT);
    }
  } finally {
    child.kill();
    await once(child, "exit");
  }
});

test("a PEM without what it is for is refused at once, by its file's name", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-tls-"));
  const path = join(folder.path, "garbage.pem");
  await writeFile(path, "no PEM at all");
  const { cert, key } = await authority.issue({ commonName: "client" });
  const create = (tls: NonNullable<NodeRollcallOptions["tls"]>) =>
    createRollcall({ baseUrl: "https://localhost", tls });
  expect(() => create({ ca: path })).toThrow(`tls.ca: ${path} is not PEM`);
  expect(() => create({ ca: folder.path })).toThrow(`tls.ca: ${folder.path} is a folder, not a file`);
  expect(() => create({ ca: `${path}.no` })).toThrow(`tls.ca: ${path}.no does not exist`);
  expect(() => create({ ca: "" })).toThrow("tls.ca is empty");
  expect(() => create({ ca: key })).toThrow("tls.ca has no certificate");
  expect(() => create({ ca: `${authority.cert}\n${cert.slice(0, 100)}` })).toThrow("block 2 of 2 (line 11) has no END");
  expect(() => create({ cert: path, key })).toThrow(`tls.cert: ${path} is not PEM`);
  expect(() => create({ cert, key: path })).toThrow(`tls.key: ${path} is not PEM`);
  expect(() => create({ cert, key: cert })).toThrow("tls.key has no private key");
  expect(() => create({ cert: authority.cert, key })).toThrow("tls.key is not the key of the certificate in tls.cert");
  expect(() => create({ cert: `${authority.cert}\n${cert}`, key })).toThrow("tls.cert is in the wrong order");
  await create({ ca: `# Some\n${authority.cert}\n${cert}`, cert, key }).close();
  expect(await rollcall(["users", "list", "--ca", path])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`--ca: ${path} is not PEM`),
  });
});

test("a server without HTTP/2 is reported as such", async () => {
  const { createServer } = await import("node:https");
  const server = createServer(good).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  await using client = createRollcall({
    baseUrl: `https://localhost:${address.port}`,
    tls: { ca: authority.cert },
    retry: false,
  });
  await expect(client.users.list()).rejects.toThrow(/HTTP\/2|no application protocol/i);
  server.close();
});

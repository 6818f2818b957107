import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, type ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { createCertificateAuthority } from "../../scripts/certificates.ts";
import { startServer } from "../../server/test/harness.ts";
import { RequestNotSentError } from "../src/index.ts";
import { createRollcallClient, type NodeRollcallClientOptions } from "../src/node/index.ts";
import { rollcall } from "./command-line.ts";
import { checkEachForLeaks } from "./leaks.ts";

checkEachForLeaks();

const authority = await createCertificateAuthority("Test CA");
const hosts = ["localhost", "127.0.0.1"];
const good = await authority.issue({ commonName: "server", hosts });

for (const wire of [
  { protocol: "grpc" },
  { protocol: "grpc-web" },
  { protocol: "connect" },
  { protocol: "grpc-web", httpVersion: "1.1" },
  { protocol: "connect", httpVersion: "1.1" },
] satisfies Partial<NodeRollcallClientOptions>[]) {
  const name = `${wire.protocol} over HTTP/${wire.httpVersion ?? "2"}`;

  test(`TLS with a CA in PEM, by ${name}`, async () => {
    await using server = await startServer({ tls: good });
    const options = { address: server.url, token: await server.token(), ...wire };
    await using client = createRollcallClient({ ...options, tls: { ca: authority.cert } });
    expect((await client.listUsers()).users).toEqual([]);
    const receipt = await client.uploadFile(new Blob(["x".repeat(300_000)]));
    expect(receipt.totalBytes).toBe(300_000);
  });

  test(`what is wrong with a certificate is told at once, by ${name}`, async () => {
    const expired = await authority.issue({
      commonName: "server",
      hosts,
      notBefore: new Date("2020-01-01"),
      notAfter: new Date("2021-01-01"),
    });
    const elsewhere = await authority.issue({ commonName: "server", hosts: ["elsewhere.example.com"] });
    const stranger = await createCertificateAuthority("Stranger");
    const cases = [
      { tls: good, ca: stranger.cert, message: /self.signed|unable to (get|verify)/i },
      { tls: expired, ca: authority.cert, message: /expired/ },
      { tls: elsewhere, ca: authority.cert, message: /does not match|altnames/i },
    ];
    for (const { tls, ca, message } of cases) {
      await using server = await startServer({ tls });
      let retries = 0;
      await using client = createRollcallClient({
        address: server.url,
        tls: { ca },
        retry: { onRetry: () => retries++ },
        ...wire,
      });
      const error = await client.listUsers().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: expect.stringMatching(message) });
      expect((error as ConnectError).cause).toBeInstanceOf(RequestNotSentError);
      // A certificate does not get better by waiting.
      expect(retries).toBe(0);
    }
  });

  test(`mutual TLS, by ${name}`, async () => {
    await using server = await startServer({ tls: { ...good, clientCa: authority.cert } });
    const options = { address: server.url, token: await server.token(), retry: false as const, ...wire };
    const { cert, key } = await authority.issue({ commonName: "client" });
    await using known = createRollcallClient({ ...options, tls: { ca: authority.cert, cert, key } });
    expect((await known.listUsers()).users).toEqual([]);
    await using unknown = createRollcallClient({ ...options, tls: { ca: authority.cert } });
    await expect(unknown.listUsers()).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: expect.stringMatching(/certificate required|connection .* lost/i),
    });
  });
}

test("certificates may be files, for the library and for the command", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-tls-"));
  await using server = await startServer({ tls: { ...good, clientCa: authority.cert } });
  const { cert, key } = await authority.issue({ commonName: "client" });
  const files = { ca: authority.cert, cert, key };
  const paths = Object.fromEntries(Object.keys(files).map((name) => [name, join(folder.path, `${name}.pem`)]));
  for (const [name, text] of Object.entries(files)) await writeFile(paths[name] as string, text);
  const token = await server.token();
  await using client = createRollcallClient({ address: server.url, token, tls: paths });
  await client.createUser({ email: "ada@example.com", name: "Ada" });
  const tlsOptions = Object.entries(paths).flatMap(([name, path]) => [`--${name}`, path]);
  const list = await rollcall(["users", "list", ...tlsOptions], {
    env: { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: token },
  });
  expect(list).toMatchObject({ code: 0, stdout: expect.stringContaining("ada@example.com") });
});

test("a PEM without what it is for is refused at once, by its file's name", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-tls-"));
  const path = join(folder.path, "garbage.pem");
  await writeFile(path, "no PEM at all");
  const { cert, key } = await authority.issue({ commonName: "client" });
  const create = (tls: NonNullable<NodeRollcallClientOptions["tls"]>) =>
    createRollcallClient({ address: "https://localhost", tls });
  expect(() => create({ ca: path })).toThrow(`${path} has no certificate`);
  expect(() => create({ ca: key })).toThrow("tls.ca has no certificate");
  expect(() => create({ cert: path, key })).toThrow(`${path} has no certificate`);
  expect(() => create({ cert, key: path })).toThrow(`${path} has no private key`);
  expect(() => create({ cert, key: cert })).toThrow("tls.key has no private key");
  await create({ ca: `# Some\n${authority.cert}\n${cert}`, cert, key }).close();
  expect(await rollcall(["users", "list", "--ca", path])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("has no certificate"),
  });
});

test("a server without HTTP/2 is told as such", async () => {
  const { createServer } = await import("node:https");
  const { once } = await import("node:events");
  const server = createServer(good).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  await using client = createRollcallClient({
    address: `https://localhost:${address.port}`,
    tls: { ca: authority.cert },
    retry: false,
  });
  await expect(client.listUsers()).rejects.toThrow(/HTTP\/2|no application protocol/i);
  server.close();
});

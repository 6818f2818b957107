import { once } from "node:events";
import http2 from "node:http2";
import { type AddressInfo, BlockList, connect, createServer } from "node:net";
import { Metadata } from "@grpc/grpc-js";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { GrpcJsClient } from "@rollcall/testing/grpc-js";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { exchangeToEnd } from "@rollcall/testing/raw/http";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const authority = await createCertificateAuthority("PROXY CA");
const tls = await authority.issue({ commonName: "localhost", hosts: ["localhost"] });
const trustedProxies = new BlockList();
trustedProxies.addAddress("127.0.0.1");

/** Header of version 2 for the source 192.0.2.1:4711. */
const V2 = Buffer.from("0d0a0d0a000d0a515549540a2111000cc0000201c6336402126701bb", "hex");
const V1 = Buffer.from("PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n");

/** Starts a proxy that forwards raw connections, after a header. With `cutAt`, the header is sent in two packets. */
async function startTcpProxy(server: TestServer, header: Buffer, cutAt: number, localAddress = "127.0.0.1") {
  const proxy = createServer((downstream) => {
    const upstream = connect({ port: server.port, host: "127.0.0.1", localAddress });
    upstream.setNoDelay(true);
    upstream.write(header.subarray(0, cutAt));
    setImmediate(() => {
      upstream.write(header.subarray(cutAt));
      downstream.pipe(upstream).pipe(downstream);
    });
    for (const socket of [upstream, downstream]) socket.on("error", () => {});
  });
  proxy.listen(0, "localhost");
  await once(proxy, "listening");
  const { port } = proxy.address() as AddressInfo;
  return { port, [Symbol.dispose]: () => void proxy.close() };
}

const peers = (server: TestServer) =>
  server.log.filter(({ msg }) => msg === "call" || msg === "request refused").map(({ peer }) => peer);
const start = (options: object = {}) =>
  startServer({ ...withProbe({ unary: () => ({}) }), limits: { trustedProxies, proxyProtocol: true }, ...options });

describe.each([
  ["1", V1],
  ["2", V2],
])("version %s names the client", (_version, header) => {
  test.each([
    ["plaintext", undefined],
    ["TLS", tls],
  ] as const)("of calls over %s", async (_name, tls) => {
    await using server = await start({ tls });
    using proxy = await startTcpProxy(server, header, 9);
    const metadata = new Metadata();
    metadata.set("authorization", (await server.auth()).authorization);
    using client = new GrpcJsClient(proxy.port, metadata, tls && authority.cert);
    await client.unary(ProbeService.method.unary, {});
    const scheme = tls ? "https" : "http";
    const session = http2.connect(`${scheme}://localhost:${proxy.port}`, { ca: authority.cert });
    // The client that the header names is not a trusted proxy, so its x-forwarded-for does not count.
    const stream = session.request({ ":path": "/nothing", "x-forwarded-for": "203.0.113.1" });
    stream.resume();
    await once(stream, "close");
    session.destroy();
    await until(() => peers(server).length === 2);
    expect(peers(server)).toEqual(["192.0.2.1:4711", "192.0.2.1:4711"]);
  });
});

test("limits on connections are those of the client, not of the proxy", async () => {
  const limits = { trustedProxies, proxyProtocol: true, maxConnectionsPerAddress: 1 };
  await using server = await start({ limits });
  using one = await startTcpProxy(server, V2, V2.length);
  using other = await startTcpProxy(server, Buffer.from(String(V1).replace("192.0.2.1", "192.0.2.2")), 3);
  const held = connect(one.port, "localhost");
  held.write("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
  await once(held, "data");
  const request = "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
  expect(await exchangeToEnd(other.port, request)).toMatch(/^HTTP\/1\.1 200/);
  expect(await exchangeToEnd(one.port, request)).toBe("");
  held.destroy();
});

test("it is asked for from trusted proxies, and believed from no one else", async () => {
  await using server = await start();
  const request = "GET /nothing HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
  // A connection from the trusted address without a header is closed.
  expect(await exchangeToEnd(server.port, request)).toBe("");
  const exchangeFrom = async (header: Buffer) => {
    using stranger = await startTcpProxy(server, header, header.length, "127.0.0.2");
    return await exchangeToEnd(stranger.port, request);
  };
  expect(await exchangeFrom(V1)).toMatch(/^HTTP\/1\.1 400/);
  expect(await exchangeFrom(Buffer.alloc(0))).toMatch(/^HTTP\/1\.1 404/);
  expect(peers(server)).toEqual(Array(2).fill(expect.stringMatching(/^127\.0\.0\.2:\d+$/)));
  // Without the setting, the header is not read from trusted proxies either.
  await using control = await start({ limits: { trustedProxies } });
  expect(await exchangeToEnd(control.port, V1 + request)).toMatch(/^HTTP\/1\.1 400/);
  expect(peers(control)).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
});

test("a header that does not come to its end is not waited for", async () => {
  await using server = await start({ limits: { trustedProxies, proxyProtocol: true, handshakeTimeoutMs: 100 } });
  expect(await exchangeToEnd(server.port, "PROXY TCP4 192.0.2.1")).toBe("");
  expect(await exchangeToEnd(server.port, "")).toBe("");
});

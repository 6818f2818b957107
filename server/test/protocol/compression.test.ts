/** Compression of requests and responses, checked by the bytes on the wire. */
import { brotliCompressSync, constants, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { Code, createClient, type Transport } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip, createGrpcTransport } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import {
  type Cell,
  connections,
  createCellTransport,
  errorOf,
  protocolCells,
  startServerFor,
} from "@rollcall/testing/matrix";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { rawRequest } from "@rollcall/testing/raw/http";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const value = "compressible ".repeat(10_000);
const zstd: Compression = {
  name: "zstd",
  compress: async (bytes) => zstdCompressSync(bytes),
  decompress: async (bytes) => zstdDecompressSync(bytes),
};
const encodings = { zstd, gzip: compressionGzip, br: compressionBrotli };
const unknown = { ...compressionGzip, name: "snappy" };

/** Returns the header that names the encoding of messages. Only Connect's unary calls use HTTP's own header. */
function encodingHeader({ logName }: Cell, kind: "unary" | "stream"): string {
  if (logName !== "connect") return "grpc-encoding";
  return kind === "unary" ? "content-encoding" : "connect-content-encoding";
}

/** Starts a server that echoes. `requestEncoding` gets the encoding that the handlers saw, by kind. */
function startEcho(cell: Cell, requestEncoding: Record<string, string | null> = {}): Promise<TestServer> {
  return startServerFor(
    cell,
    withProbe({
      unary(request, { requestHeader }) {
        requestEncoding.unary = requestHeader.get(encodingHeader(cell, "unary"));
        return { value: request.value };
      },
      async *bidiStream(requests, { requestHeader }) {
        requestEncoding.stream = requestHeader.get(encodingHeader(cell, "stream"));
        yield* requests;
      },
    }),
  );
}

const rows = protocolCells.flatMap((cell) => Object.keys(encodings).map((encoding) => ({ ...cell, encoding })));

describe.each(rows)("$protocol over $connection, $encoding", ({ encoding, ...cell }) => {
  const compression = encodings[encoding as keyof typeof encodings];

  test.each(["unary", "stream"] as const)("%s: request compressed, response not", async (kind) => {
    const requestEncoding: Record<string, string | null> = {};
    await using server = await startEcho(cell, requestEncoding);
    const transport = await createCellTransport(server, cell, {
      sendCompression: compression,
      acceptCompression: [unknown],
    });
    const { header, line } = await echo(transport, server.log, kind);
    expect(requestEncoding[kind]).toBe(encoding);
    expect(line.requestBytes).toBeLessThan(value.length / 10);
    expect(header.get(encodingHeader(cell, kind))).toBe(null);
    expect(line.responseBytes).toBeGreaterThan(value.length);
  });

  test.each(["unary", "stream"] as const)("%s: response compressed, request not", async (kind) => {
    const requestEncoding: Record<string, string | null> = {};
    await using server = await startEcho(cell, requestEncoding);
    // This client accepts no other compression.
    const transport = await createCellTransport(server, cell, { acceptCompression: [compression] });
    const { header, line } = await echo(transport, server.log, kind);
    expect(requestEncoding[kind]).toBe(null);
    expect(line.requestBytes).toBeGreaterThan(value.length);
    expect(header.get(encodingHeader(cell, kind))).toBe(encoding);
    expect(line.responseBytes).toBeLessThan(value.length / 10);
  });
});

describe.each(protocolCells)("$protocol", (cell) => {
  test.each(["unary", "stream"] as const)("%s: what the server does not offer is not used", async (kind) => {
    await using server = await startEcho(cell);
    const transport = await createCellTransport(server, cell, { acceptCompression: [unknown] });
    const { header, line } = await echo(transport, server.log, kind);
    expect(header.get(encodingHeader(cell, kind))).toBe(null);
    expect(line.responseBytes).toBeGreaterThan(value.length);
  });

  test("a request in an encoding that the server lacks is unimplemented, and the error lists the known ones", async () => {
    await using server = await startEcho(cell);
    const probe = createClient(ProbeService, await createCellTransport(server, cell, { sendCompression: unknown }));
    for (const call of [() => probe.unary({ value }), () => Array.fromAsync(probe.bidiStream(twoMessages()))]) {
      const error = await errorOf(call());
      expect(error.code).toBe(Code.Unimplemented);
      expect(error.message).toMatch(/"snappy".*zstd,gzip,br/);
    }
  });
});

/** Sends the value and expects it back. Returns the header of the response, and the call's line in the log. */
async function echo(transport: Transport, log: TestServer["log"], kind: "unary" | "stream") {
  const probe = createClient(ProbeService, transport);
  let header = new Headers();
  const onHeader = (received: Headers) => {
    header = received;
  };
  const answers =
    kind === "unary"
      ? [await probe.unary({ value }, { onHeader })]
      : await Array.fromAsync(probe.bidiStream(twoMessages(), { onHeader }));
  for (const answer of answers) expect(answer.value).toBe(value);
  const line = await until(() => log.find(({ msg }) => msg === "call"));
  return { header, line };
}

async function* twoMessages() {
  yield { value };
  yield { value };
}

describe("Connect JSON over HTTP/1.1", () => {
  const json = JSON.stringify(value);

  test.each([
    { encoding: "zstd", compressed: zstdCompressSync(json) },
    { encoding: "gzip", compressed: gzipSync(json) },
    { encoding: "br", compressed: brotliCompressSync(json) },
  ])("GET with its message in $encoding", async ({ encoding, compressed }) => {
    await using server = await startServerFor(connections.http1, withProbe({ unary: (request) => request }));
    const { authorization } = await server.auth();
    const url = new URL("probe.v1.ProbeService/Unary", server.url);
    url.search = String(
      new URLSearchParams({
        ...{ connect: "v1", encoding: "json", compression: encoding, base64: "1" },
        message: compressed.toString("base64url"),
      }),
    );
    const { status, body } = await rawRequest("GET", url.href, { authorization, "accept-encoding": "identity" });
    expect({ status, body: body.toString() }).toEqual({ status: 200, body: json });
  });
});

test("brotli costs no more than quality 4 does", async () => {
  await using server = await startServer();
  const users = createClient(UserService, createGrpcTransport({ baseUrl: server.url }));
  const headers = await server.auth();
  for (let i = 0; i < 50; i++)
    await users.createUser({ email: `u${i}@example.com`, name: `User number ${i}` }, { headers });
  const response = await fetch(`${server.url}/user.v1.UserService/ListUsers`, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json", "accept-encoding": "br" },
    body: "{}",
  });
  expect(response.headers.get("content-encoding")).toBe("br");
  const plain = Buffer.from(await response.text());
  const sizeAt = (quality: number) =>
    brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } }).length;
  expect(response.headers.get("content-length")).toBe(String(sizeAt(4)));
  expect(sizeAt(4)).not.toBe(sizeAt(11));
});

/** Media types and content codings, by the names and weights that HTTP defines, in every protocol. */
import {
  brotliCompressSync,
  brotliDecompressSync,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
  zstdDecompressSync,
} from "node:zlib";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { connections, plainConnections, startServerFor } from "@rollcall/testing/matrix";
import { withProbe } from "@rollcall/testing/probe-service";
import { rawCall } from "@rollcall/testing/raw/call";
import { HALF_CLOSE, openSocket, PROBE, body as socketBody } from "@rollcall/testing/raw/web-socket";
import { until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const value = "compressible ".repeat(1_000);
/** Handlers that echo. A stream's answer is the last message. */
const echo = withProbe({
  unary: (request) => request,
  async clientStream(requests) {
    let last = {};
    for await (const request of requests) last = request;
    return last;
  },
});

/** All media types that are served, each with a message. */
const types = [
  { type: "application/json", kind: "Unary", isEnveloped: false, body: '"x"' },
  { type: "application/proto", kind: "Unary", isEnveloped: false, body: "\n\x01x" },
  { type: "application/connect+json", kind: "ClientStream", isEnveloped: true, body: '"x"' },
  { type: "application/connect+proto", kind: "ClientStream", isEnveloped: true, body: "\n\x01x" },
  { type: "application/grpc", kind: "Unary", isEnveloped: true, body: "\n\x01x" },
  { type: "application/grpc+proto", kind: "ClientStream", isEnveloped: true, body: "\n\x01x" },
  { type: "application/grpc+json", kind: "Unary", isEnveloped: true, body: '"x"' },
  { type: "application/grpc-web", kind: "Unary", isEnveloped: true, body: "\n\x01x" },
  { type: "application/grpc-web+proto", kind: "ClientStream", isEnveloped: true, body: "\n\x01x" },
  { type: "application/grpc-web+json", kind: "Unary", isEnveloped: true, body: '"x"' },
];

const parameters = [
  ";charset=utf-8",
  ';charset="utf-8"',
  " ; charset=utf-8",
  '; Charset="UTF-8" ;',
  "; v=1",
  '; a="b;c" ; charset=UTF8',
];
const otherCharsets = [";charset=latin1", '; charset="utf-16"', "; charset=utf-8; charset=us-ascii"];

describe.each(plainConnections)("media types over $connection", (connection) => {
  test.each(types)("$type: parameters do not change it, another charset is 415", async (row) => {
    await using server = await startServerFor(connection, echo);
    const bytes = Buffer.from(row.body);
    const send = (contentType: string) =>
      rawCall(server, connection, {
        path: `/probe.v1.ProbeService/${row.kind}`,
        headers: { "content-type": contentType, te: "trailers" },
        body: row.isEnveloped ? encodeEnvelope(0, bytes) : bytes,
      });
    for (const contentType of [row.type.toUpperCase(), ...parameters.map((parameter) => row.type + parameter)]) {
      const outcome = await send(contentType);
      expect({ contentType, ...outcome }).toMatchObject({ contentType, status: 200, code: "ok" });
      expect(outcome.body.toString()).toContain(row.body);
    }
    for (const parameter of otherCharsets) expect(await send(row.type + parameter)).toMatchObject({ status: 415 });
  });
});

test.each([...parameters, ""])("a WebSocket's header block with application/grpc-web+proto%s", async (parameter) => {
  await using server = await startServerFor(connections.http1, echo);
  const { authorization } = await server.auth();
  const call = async (contentType: string) => {
    const socket = openSocket(server, { path: PROBE.replace("BidiStream", "Unary") });
    await socket.opened;
    socket.ws.send(Buffer.from(`content-type: ${contentType}\r\nauthorization: ${authorization}\r\n`));
    socket.ws.send(socketBody(encodeEnvelope(0, Buffer.from("\n\x01x"))));
    socket.ws.send(HALF_CLOSE);
    return (await socket.closed).status;
  };
  expect(await call(`application/grpc-web+proto${parameter}`)).toBe(0);
  expect(await call(`APPLICATION/gRPC-Web+Proto${parameter}`)).toBe(0);
  expect(await call("application/grpc-web+proto; charset=latin1")).toBe(12);
});

test("a method that nobody serves is answered in gRPC's way, whatever parameters its type has", async () => {
  await using server = await startServerFor(connections.h2c);
  const call = (contentType: string) =>
    rawCall(server, connections.h2c, { path: "/a.B/C", headers: { "content-type": contentType }, body: Buffer.of() });
  for (const contentType of ["application/grpc;charset=utf-8", "Application/GRPC+proto", "application/grpc-web; v=1"]) {
    const { headers } = await call(contentType);
    expect(headers.get("grpc-status")).toBe("12");
  }
  expect(await call("application/grpcx")).toMatchObject({ status: 404, code: "unimplemented" });
});

/** Headers that name the coding of messages, and the codings that a client accepts, by protocol. */
const codings = [
  {
    name: "Connect unary",
    type: "application/json",
    kind: "Unary",
    encoding: "content-encoding",
    accept: "accept-encoding",
  },
  {
    name: "Connect stream",
    type: "application/connect+json",
    kind: "ClientStream",
    encoding: "connect-content-encoding",
    accept: "connect-accept-encoding",
  },
  ...["application/grpc", "application/grpc-web"].map((type) => ({
    name: type,
    type: `${type}+json`,
    kind: "ClientStream",
    encoding: "grpc-encoding",
    accept: "grpc-accept-encoding",
  })),
];
const rows = plainConnections.flatMap((connection) => codings.map((coding) => ({ ...coding, ...connection })));

describe.each(rows)("content codings: $name over $connection", ({ type, kind, encoding, accept, ...connection }) => {
  const json = Buffer.from(JSON.stringify(value));
  const start = () => startServerFor(connection, echo);
  const send = (
    server: Awaited<ReturnType<typeof start>>,
    headers: Record<string, string>,
    bytes: Uint8Array = json,
  ) => {
    const isCompressed = headers[encoding] !== undefined && headers[encoding] !== "identity";
    return rawCall(server, connection, {
      path: `/probe.v1.ProbeService/${kind}`,
      headers: { "content-type": type, te: "trailers", ...headers },
      body: kind === "Unary" ? bytes : encodeEnvelope(isCompressed ? 1 : 0, bytes),
    });
  };
  const payload = (body: Buffer) => (kind === "Unary" ? body : body.subarray(5));

  test("a request's coding in any case, and by its other name", async () => {
    await using server = await start();
    const compressed = { gzip: gzipSync(json), br: brotliCompressSync(json), zstd: zstdCompressSync(json) };
    for (const [name, bytes] of [
      ["GZIP", compressed.gzip],
      ["Gzip", compressed.gzip],
      ["x-gzip", compressed.gzip],
      ["BR", compressed.br],
      ["ZStd", compressed.zstd],
      ["identity", json],
    ] as const) {
      const outcome = await send(server, { [encoding]: name, [accept]: "identity" }, bytes);
      expect({ name, code: outcome.code }).toEqual({ name, code: "ok" });
      expect(payload(outcome.body).toString()).toBe(json.toString());
    }
  });

  test("the answer's coding by weight, then by the server's order", async () => {
    await using server = await start();
    for (const [accepted, chosen] of [
      ["gzip;q=0.5", "gzip"],
      ["gzip;q=0.1, br;q=0.9", "br"],
      ["br, GZIP", "gzip"],
      ["gzip, deflate, br, zstd", "zstd"],
      ["*", "zstd"],
      ["zstd;q=0, gzip;q=0, *;q=0.5", "br"],
      ["gzip;q=0", null],
      ["identity, gzip;q=0.5", null],
      ["*;q=0", null],
    ] as const) {
      const { code, headers, body } = await send(server, { [accept]: accepted });
      expect({ accepted, code, chosen: headers.get(encoding) }).toEqual({ accepted, code: "ok", chosen });
      const bytes = payload(body);
      const inflate = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync };
      const plain = chosen ? inflate[chosen](bytes) : bytes;
      expect(plain.toString()).toBe(json.toString());
    }
  });

  test("a coding that the server lacks is refused, with those that it has", async () => {
    await using server = await start();
    for (const name of ["snappy", "gzip, br", "*"]) {
      const { code, message, headers } = await send(server, { [encoding]: name });
      expect({ name, code }).toEqual({ name, code: "unimplemented" });
      expect(message).toContain(`"${name}"`);
      expect(headers.get(accept)).toBe("zstd,gzip,br");
    }
    // A caller that the gate refuses learns nothing about the server.
    const { code, headers } = await send(server, { [encoding]: "snappy", authorization: "Bearer none" });
    expect({ code, accept: headers.get(accept) }).toEqual({ code: "unauthenticated", accept: null });
    await until(() => server.log.filter(({ msg }) => msg === "call").length === 4);
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  });
});

test("the coding of a GET's message, in any case; one that the server lacks is refused with those that it has", async () => {
  await using server = await startServerFor(connections.http1, echo);
  const get = (compression: string, bytes: Buffer) =>
    rawCall(server, connections.http1, {
      method: "GET",
      path: `/probe.v1.ProbeService/Unary?encoding=json&base64=1&compression=${compression}&message=${bytes.toString("base64url")}`,
      headers: {},
    });
  const json = Buffer.from('"x"');
  expect(await get("GZIP", gzipSync(json))).toMatchObject({ status: 200, body: json });
  expect(await get("Br", brotliCompressSync(json))).toMatchObject({ status: 200, body: json });
  expect(await get("ZSTD", zstdCompressSync(json))).toMatchObject({ status: 200, body: json });
  expect(await get("identity", json)).toMatchObject({ status: 200, body: json });
  const refused = await get("snappy", json);
  expect(refused).toMatchObject({ status: 501, code: "unimplemented" });
  expect(refused.headers.get("accept-encoding")).toBe("zstd,gzip,br");
});

/**
 * Requests that can't be read. In every protocol, the code says that the sender is at fault, and the log has no error.
 */
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { type Connection, connections, plainConnections, startServerFor } from "@rollcall/testing/matrix";
import { withProbe } from "@rollcall/testing/probe-service";
import { type Outcome, rawCall } from "@rollcall/testing/raw/call";
import { begin, HALF_CLOSE, PROBE, body as socketBody } from "@rollcall/testing/raw/web-socket";
import { type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

/** google.protobuf.StringValue "abc". */
const message = Buffer.from("\n\x03abc");
const whole = encodeEnvelope(0, message);

/** Handlers that count their messages. */
const counting = withProbe({
  unary: () => ({ value: "1" }),
  async *serverStream() {
    yield { value: "1" };
  },
  async clientStream(requests) {
    return { value: String((await Array.fromAsync(requests)).length) };
  },
  async *bidiStream(requests) {
    yield { value: String((await Array.fromAsync(requests)).length) };
  },
});

interface Case extends Connection {
  readonly type: string;
  readonly kind: "Unary" | "ServerStream" | "ClientStream" | "BidiStream";
}

const types = ["application/grpc", "application/grpc-web+proto", "application/connect+proto"];
const kinds = ["Unary", "ServerStream", "ClientStream", "BidiStream"] as const;

/** Each kind of method whose request is a stream of envelopes, over each connection that can carry it. */
const enveloped: readonly Case[] = plainConnections.flatMap((connection) =>
  types.flatMap((type) =>
    kinds
      .filter((kind) => kind !== "Unary" || !type.includes("connect"))
      .filter((kind) => kind !== "BidiStream" || connection.httpVersion === "2")
      .map((kind) => ({ ...connection, type, kind })),
  ),
);

function call(server: TestServer, { type, kind, ...connection }: Case, body: Uint8Array, headers = {}) {
  const path = `/probe.v1.ProbeService/${kind}`;
  return rawCall(server, connection, { path, headers: { "content-type": type, te: "trailers", ...headers }, body });
}

/** Waits for the log lines of all calls. Expects these codes, and no error in the log. */
async function expectLines(server: TestServer, codes: readonly string[]): Promise<void> {
  const lines = await until(() => {
    const calls = server.log.filter(({ msg }) => msg === "call");
    return calls.length === codes.length && calls;
  });
  expect(lines.map(({ code }) => code).sort()).toEqual([...codes].sort());
  expect(server.log.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
}

function expectRefusal(outcome: Outcome, code: string, message: RegExp): void {
  expect(outcome).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(outcome.message).not.toMatch(/internal error|Error:|node:|\.[jt]s\b/);
}

describe.each(enveloped)("$kind, $type over $connection", (row) => {
  test.each([
    ["in its header", 3],
    ["right behind its header", 5],
    ["in its body", 8],
  ])("a message cut %s is no message", async (_where, length) => {
    await using server = await startServerFor(row, counting);
    expect(await call(server, row, whole)).toMatchObject({ code: "ok" });
    const refused = [
      await call(server, row, whole.subarray(0, length)),
      await call(server, row, Buffer.concat([whole, whole.subarray(0, length)])),
    ];
    for (const outcome of refused) expectRefusal(outcome, "invalid_argument", /ends within a message/);
    await expectLines(server, ["ok", "invalid_argument", "invalid_argument"]);
  });

  test("a message that is too large is refused for its size, though the body ends within it", async () => {
    await using server = await startServerFor(row, { ...counting, maxMessageBytes: 100 });
    expect(await call(server, row, Uint8Array.of(0, 0, 0, 0, 101))).toMatchObject({ code: "resource_exhausted" });
    expect(await call(server, row, Uint8Array.of(0, 0, 0, 0, 100))).toMatchObject({ code: "invalid_argument" });
  });

  test("what can't be parsed or decompressed", async () => {
    await using server = await startServerFor(row, counting);
    const encoding = row.type.includes("connect") ? "connect-content-encoding" : "grpc-encoding";
    // In gRPC's table of status codes, both are internal. Over Connect, the code blames the client.
    const code = row.type.includes("connect") ? "invalid_argument" : "internal";
    const send = (bytes: Uint8Array, coding?: string) =>
      call(server, row, encodeEnvelope(coding ? 1 : 0, bytes), coding && { [encoding]: coding });
    expect(await send(gzipSync(message), "gzip")).toMatchObject({ code: "ok" });
    expect(await send(brotliCompressSync(message), "br")).toMatchObject({ code: "ok" });

    expectRefusal(await send(Uint8Array.of(0x0a, 0xff, 0xff)), code, /malformed protobuf/);
    // A string field that is not UTF-8.
    expectRefusal(await send(Uint8Array.of(0x0a, 1, 0xff)), code, /malformed protobuf/);
    expectRefusal(await send(gzipSync(message).subarray(0, -4), "gzip"), code, /gzip data ends too early/);
    expectRefusal(await send(Buffer.from("garbage"), "gzip"), code, /malformed gzip/);
    expectRefusal(await send(brotliCompressSync(message).subarray(0, -2), "br"), code, /br data ends too early/);
    expectRefusal(await send(Buffer.alloc(20, 0xff), "br"), code, /malformed br/);
    const trailing = Buffer.concat([brotliCompressSync(message), Buffer.from("more")]);
    expectRefusal(await send(trailing, "br"), code, /malformed br/);
    const zstd = zstdCompressSync(message);
    expectRefusal(await send(zstd.subarray(0, -2), "zstd"), code, /zstd data ends too early/);
    expectRefusal(await send(Buffer.from("garbage"), "zstd"), code, /malformed zstd/);
    expectRefusal(await send(Buffer.concat([zstd, Buffer.from("more")]), "zstd"), code, /malformed zstd/);
    // This window of 128 MiB would have to be kept in the server's memory.
    expectRefusal(await send(Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x88, 1, 0, 0), "zstd"), code, /malformed zstd/);
    expect(await send(Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x68, 1, 0, 0), "zstd")).toMatchObject({ code: "ok" });
    await expectLines(server, ["ok", "ok", ...Array(11).fill(code), "ok"]);
  });

  test("a message flagged as compressed, where no encoding is named, is internal in each protocol", async () => {
    await using server = await startServerFor(row, counting);
    expectRefusal(await call(server, row, encodeEnvelope(1, message)), "internal", /flagged as compressed/);
    await expectLines(server, ["internal"]);
  });
});

describe.each(plainConnections)("Connect unary over $connection", (connection) => {
  const post = (server: TestServer, body: Uint8Array, headers = {}) =>
    rawCall(server, connection, {
      path: "/probe.v1.ProbeService/Unary",
      headers: { "content-type": "application/proto", ...headers },
      body,
    });
  const get = (server: TestServer, query: string) =>
    rawCall(server, connection, { method: "GET", path: `/probe.v1.ProbeService/Unary?${query}`, headers: {} });

  test("a body that can't be parsed or decompressed: 400", async () => {
    await using server = await startServerFor(connection, counting);
    const gzip = { "content-encoding": "gzip" };
    const br = { "content-encoding": "br" };
    expect(await post(server, message)).toMatchObject({ status: 200 });
    expect(await post(server, gzipSync(message), gzip)).toMatchObject({ status: 200 });
    const refusals: [Outcome, RegExp][] = [
      [await post(server, Uint8Array.of(0x0a, 0xff, 0xff)), /malformed protobuf/],
      [await post(server, Uint8Array.of(0x0a, 1, 0xff)), /malformed protobuf/],
      [await post(server, gzipSync(message).subarray(0, -4), gzip), /ends too early/],
      [await post(server, Buffer.from("garbage"), gzip), /malformed gzip/],
      [await post(server, brotliCompressSync(message).subarray(0, -2), br), /ends too early/],
      [await post(server, Buffer.alloc(20, 0xff), br), /malformed br/],
    ];
    for (const [outcome, message] of refusals) {
      expectRefusal(outcome, "invalid_argument", message);
      expect(outcome.status).toBe(400);
    }
    await expectLines(server, ["ok", "ok", ...refusals.map(() => "invalid_argument")]);
  });

  test("a GET whose message can't be decoded: 400", async () => {
    await using server = await startServerFor(connection, counting);
    const base64 = "connect=v1&encoding=proto&base64=1&message=";
    for (const good of ["CgNhYmM", "CgNhYmM=", "CgNhYmM%3D"]) {
      expect(await get(server, `${base64}${good}`)).toMatchObject({ status: 200 });
    }
    const refusals: [Outcome, RegExp][] = [
      [await get(server, `${base64}!!!!`), /not valid base64/],
      [await get(server, `${base64}CgNhYmM==`), /not valid base64/],
      [await get(server, `${base64}CgNhY`), /not valid base64/],
      // It contains a blank: base64 with a `+` that was not percent-encoded.
      [await get(server, `${base64}CgNh+mM`), /not valid base64/],
      [await get(server, `${base64}Cv__`), /malformed protobuf/],
      [await get(server, `${base64}garbage&compression=gzip`), /malformed gzip|not valid base64/],
      [await get(server, `${base64}H4sI&compression=gzip`), /ends too early/],
    ];
    for (const [outcome, message] of refusals) {
      expectRefusal(outcome, "invalid_argument", message);
      expect(outcome.status).toBe(400);
    }
    await expectLines(server, ["ok", "ok", "ok", ...refusals.map(() => "invalid_argument")]);
  });
});

describe("over a WebSocket", () => {
  const send = async (server: TestServer, path: string, bytes: Uint8Array, headers = "") => {
    const socket = await begin(server, path, headers);
    socket.ws.send(socketBody(bytes));
    socket.ws.send(HALF_CLOSE);
    return (await socket.closed).status;
  };

  test.each(["Unary", "ServerStream", "ClientStream", "BidiStream"])("%s", async (kind) => {
    await using server = await startServerFor(connections.http1, counting);
    const path = PROBE.replace("BidiStream", kind);
    expect(await send(server, path, whole)).toBe(0);
    for (const length of [3, 5, 8]) {
      expect(await send(server, path, whole.subarray(0, length))).toBe(3);
      expect(await send(server, path, Buffer.concat([whole, whole.subarray(0, length)]))).toBe(3);
    }
    expect(await send(server, path, encodeEnvelope(0, Uint8Array.of(0x0a, 0xff, 0xff)))).toBe(13);
    expect(await send(server, path, encodeEnvelope(1, message))).toBe(13);
    expect(await send(server, path, encodeEnvelope(1, Buffer.from("garbage")), "grpc-encoding: gzip\r\n")).toBe(13);
    await expectLines(server, ["ok", ...Array(6).fill("invalid_argument"), ...Array(3).fill("internal")]);
  });
});

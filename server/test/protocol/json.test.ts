/** JSON as people and programs write it: only UTF-8, no fields with wrong names, envelopes where they belong. */
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { type Connection, connections, plainConnections, startServerFor } from "@rollcall/testing/matrix";
import { withProbe } from "@rollcall/testing/probe-service";
import { type Outcome, rawCall } from "@rollcall/testing/raw/call";
import { HALF_CLOSE, openSocket, PROBE, body as socketBody } from "@rollcall/testing/raw/web-socket";
import type { TestServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const byVersion = { "connect-protocol-version": "1" };

/** Creates handlers that return their messages and record them in `taken`. */
function echo(taken: string[] = []) {
  const keep = ({ value }: { value: string }) => {
    taken.push(value);
    return { value };
  };
  return withProbe({
    unary: keep,
    async *serverStream(request) {
      yield keep(request);
    },
    async clientStream(requests) {
      let last = { value: "" };
      for await (const request of requests) last = keep(request);
      return last;
    },
    async *bidiStream(requests) {
      for await (const request of requests) yield keep(request);
    },
  });
}

type Send = (server: TestServer, connection: Connection, json: Buffer) => Promise<Outcome>;

const post =
  (type: string, kind: string, headers = {}): Send =>
  (server, connection, json) =>
    rawCall(server, connection, {
      path: `/probe.v1.ProbeService/${kind}`,
      headers: { "content-type": type, te: "trailers", ...headers },
      body: type === "application/json" ? json : encodeEnvelope(0, json),
    });

const get =
  (query: (json: Buffer) => string): Send =>
  (server, connection, json) => {
    const path = `/probe.v1.ProbeService/Unary?encoding=json&${query(json)}`;
    return rawCall(server, connection, { method: "GET", path, headers: {} });
  };

const percentEncode = (bytes: Buffer) => bytes.toString("hex").replace(/../g, "%$&");

/** All ways in which JSON reaches the server. */
const ways: Record<string, Send> = {
  "a body": post("application/json", "Unary"),
  "a body of a generated client": post("application/json", "Unary", byVersion),
  "the query of a GET": get((json) => `message=${percentEncode(json)}`),
  "the query of a generated client's GET": get((json) => `connect=v1&message=${percentEncode(json)}`),
  "base64 in the query of a GET": get((json) => `base64=1&message=${json.toString("base64url")}`),
  "a server stream's request": post("application/connect+json", "ServerStream"),
  "a client stream": post("application/connect+json", "ClientStream"),
  "a bidi stream": post("application/connect+json", "BidiStream", byVersion),
  "gRPC with JSON": post("application/grpc+json", "Unary"),
  "a client stream over gRPC with JSON": post("application/grpc+json", "ClientStream"),
  "gRPC-Web with JSON": post("application/grpc-web+json", "Unary"),
  "a server stream over gRPC-Web with JSON": post("application/grpc-web+json", "ServerStream"),
};

const quoted = (...bytes: number[]) => Buffer.from([0x22, ...bytes, 0x22]);

const unreadable: [string, Buffer][] = [
  ["a Latin-1 letter", quoted(0x4a, 0xf6, 0x72, 0x67)],
  ["an overlong form", quoted(0xc0, 0xaf)],
  ["an encoded surrogate", quoted(0xed, 0xa0, 0x80)],
  ["a pair of encoded surrogates", quoted(0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80)],
  ["a code point beyond Unicode", quoted(0xf4, 0x90, 0x80, 0x80)],
  ["a character that is cut", quoted(0xe2, 0x82)],
  ["a first half by escape", Buffer.from('"a\\ud83d"')],
  ["a second half by escape", Buffer.from('"\\uDE00a"')],
  ["two halves the wrong way round", Buffer.from('"\\ude00\\ud83d"')],
  ["half a character, then another escape", Buffer.from('"\\ud83d\\u0041"')],
];

const readable: [string, Buffer, string][] = [
  ["letters beyond ASCII", Buffer.from('"Jörg – 😀"'), "Jörg – 😀"],
  ["U+FFFD itself", Buffer.from('"\ufffd"'), "\ufffd"],
  ["a pair of escapes", Buffer.from('"\\ud83d\\uDE00"'), "😀"],
  ["an escaped backslash before what looks like an escape", Buffer.from('"\\\\ud83d"'), "\\ud83d"],
  ["U+0000 by escape", Buffer.from('"\\u0000"'), "\0"],
];

const http2Only = new Set(["a bidi stream"]);

describe.each(plainConnections)("over $connection", (connection) => {
  const rows = Object.entries(ways).filter(([way]) => connection.httpVersion === "2" || !http2Only.has(way));

  test.each(rows)("%s: what is not UTF-8 is refused, never replaced", async (_way, send) => {
    const taken: string[] = [];
    await using server = await startServerFor(connection, echo(taken));
    for (const [name, json] of unreadable) {
      const { code, message } = await send(server, connection, json);
      expect({ name, code }).toEqual({ name, code: "invalid_argument" });
      expect(message).toMatch(/UTF-8|half of a surrogate pair/);
    }
    expect(taken).toEqual([]);
    for (const [name, json, value] of readable) {
      expect({ name, ...(await send(server, connection, json)) }).toMatchObject({ name, code: "ok" });
      expect(taken.pop()).toBe(value);
    }
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  });
});

test.each(["Unary", "BidiStream"])("%s over a WebSocket, with JSON: the same", async (kind) => {
  const taken: string[] = [];
  await using server = await startServerFor(connections.http1, echo(taken));
  const { authorization } = await server.auth();
  const send = async (json: Buffer) => {
    const socket = openSocket(server, { path: PROBE.replace("BidiStream", kind) });
    await socket.opened;
    socket.ws.send(Buffer.from(`content-type: application/grpc-web+json\r\nauthorization: ${authorization}\r\n`));
    socket.ws.send(socketBody(encodeEnvelope(0, json)));
    socket.ws.send(HALF_CLOSE);
    return (await socket.closed).status;
  };
  for (const [name, json] of unreadable) expect({ name, status: await send(json) }).toEqual({ name, status: 3 });
  expect(taken).toEqual([]);
  for (const [name, json, value] of readable) {
    expect({ name, status: await send(json) }).toEqual({ name, status: 0 });
    expect(taken.pop()).toBe(value);
  }
});

// There is no row for HTTP/1.1: Node's client sends no such URL, and the server's parser accepts none.
test.each([connections.h2c, connections.tlsH2])(
  "a URL that is not percent-encoded, over $connection: 400",
  async (connection) => {
    const taken: string[] = [];
    await using server = await startServerFor(connection, echo(taken));
    for (const bytes of ["J\xf6rg", "J\xc3\xb6rg"]) {
      const path = `/probe.v1.ProbeService/Unary?encoding=json&message=%22${bytes}%22`;
      expect(await rawCall(server, connection, { method: "GET", path, headers: {} })).toMatchObject({ status: 400 });
    }
    expect(taken).toEqual([]);
  },
);

test("two bodies that differ in bytes alone are not one request", async () => {
  await using server = await startServerFor(connections.http1);
  const create = (name: Buffer) =>
    rawCall(server, connections.http1, {
      path: "/user.v1.UserService/CreateUser",
      headers: { "content-type": "application/json" },
      body: Buffer.concat([Buffer.from('{"email":"a@example.com","requestId":"1","name":"'), name, Buffer.from('"}')]),
    });
  expect(await create(Buffer.from("J\xf6rg", "latin1"))).toMatchObject({ status: 400, code: "invalid_argument" });
  expect(await create(Buffer.from("J\xe4rg", "latin1"))).toMatchObject({ status: 400, code: "invalid_argument" });
  expect(await create(Buffer.from("Jörg"))).toMatchObject({ status: 200 });
  expect(await create(Buffer.from("Järg"))).toMatchObject({ status: 400, code: "invalid_argument" });
});

describe.each(plainConnections)("a field by a wrong name, over $connection", (connection) => {
  const list = (server: TestServer, json: string, headers = {}) =>
    rawCall(server, connection, {
      path: "/user.v1.UserService/ListUsers",
      headers: { "content-type": "application/json", ...headers },
      body: Buffer.from(json),
    });
  const listByGet = (server: TestServer, json: string, more = "") =>
    rawCall(server, connection, {
      method: "GET",
      path: `/user.v1.UserService/ListUsers?encoding=json&message=${encodeURIComponent(json)}${more}`,
      headers: {},
    });
  const search = (server: TestServer, json: string, headers = {}) =>
    rawCall(server, connection, {
      path: "/stream.v1.StreamService/ServerStream",
      headers: { "content-type": "application/connect+json", ...headers },
      body: encodeEnvelope(0, Buffer.from(json)),
    });
  const upload = (server: TestServer, json: string, headers = {}) =>
    rawCall(server, connection, {
      path: "/stream.v1.StreamService/ClientStream",
      headers: { "content-type": "application/connect+json", ...headers },
      body: Buffer.concat([encodeEnvelope(0, Buffer.from("{}")), encodeEnvelope(0, Buffer.from(json))]),
    });

  test("is refused by that name, in JSON that brings no version", async () => {
    await using server = await startServerFor(connection);
    const refusals = [
      await list(server, '{"filtr":"a"}'),
      await listByGet(server, '{"filtr":"a"}'),
      await search(server, '{"query":"a","filtr":1}'),
      await upload(server, '{"filtr":null}'),
    ];
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({
        code: "invalid_argument",
        message: 'unknown field "filtr"',
        details: [{ type: "google.rpc.BadRequest", debug: { fieldViolations: [{ field: "filtr" }] } }],
      });
    }
  });

  test("is ignored, where a client says by a version that it may be newer than the server", async () => {
    await using server = await startServerFor(connection);
    for (const outcome of [
      await list(server, '{"filtr":"a"}', byVersion),
      await listByGet(server, '{"filtr":"a"}', "&connect=v1"),
      await search(server, '{"query":"a","filtr":1}', byVersion),
      await upload(server, '{"filtr":null}', byVersion),
    ]) {
      expect(outcome).toMatchObject({ code: "ok" });
    }
  });

  test("either name of a field is right, and no other", async () => {
    await using server = await startServerFor(connection);
    expect(await list(server, '{"pageSize":1}')).toMatchObject({ status: 200 });
    expect(await list(server, '{"page_size":1}')).toMatchObject({ status: 200 });
    expect(await list(server, '{"PageSize":1}')).toMatchObject({ message: 'unknown field "PageSize"' });
  });

  test("all wrong names come at once; of very many the first", async () => {
    await using server = await startServerFor(connection);
    const fields = (count: number) =>
      JSON.stringify(
        Object.fromEntries(
          Array(count)
            .keys()
            .map((n) => [`x${n}`, n]),
        ),
      );
    expect(await list(server, fields(2))).toMatchObject({ message: 'unknown fields "x0", "x1"' });
    const { message, body } = await list(server, fields(10_000));
    expect(message).toBe('unknown fields "x0", "x1", "x2" and more');
    expect(body.byteLength).toBeLessThan(10_000);
  });
});

describe.each(plainConnections)("plain JSON where envelopes belong, over $connection", (connection) => {
  const sendAs = (server: TestServer, type: string, kind: string, body: Uint8Array) =>
    rawCall(server, connection, {
      path: `/probe.v1.ProbeService/${kind}`,
      headers: { "content-type": type, te: "trailers" },
      body,
    });

  test.each([
    ["application/connect+json", "ServerStream"],
    ["application/connect+json", "ClientStream"],
    ["application/grpc-web+json", "Unary"],
    ["application/grpc+json", "ServerStream"],
  ])("%s, %s: the error says so", async (type, kind) => {
    await using server = await startServerFor(connection, echo());
    const send = (body: Uint8Array) => sendAs(server, type, kind, body);
    const starts = ["", "\n", "\r\n", " ", "\t", "\ufeff"].map((start) => `${start}{"query": "hello"}`);
    for (const json of [...starts, '"long enough to be an envelope"', '""', "{", '[{"query": "x"}]']) {
      const { code, message } = await send(Buffer.from(json));
      expect(code).toBe("invalid_argument");
      expect(message).toMatch(/^this is plain JSON: .*envelope/);
      // A stream can't be sent as application/json.
      expect(message.includes("content-type: application/json")).toBe(kind === "Unary");
    }
    expect(await send(encodeEnvelope(0, Buffer.from('"x"')))).toMatchObject({ code: "ok" });
  });

  test.each([
    ["application/connect+proto", "ServerStream"],
    ["application/grpc-web+proto", "Unary"],
    ["application/grpc-web", "ClientStream"],
    ["application/grpc+proto", "Unary"],
    ["application/grpc", "ServerStream"],
  ])("%s, %s: the error says so, and nothing of a message that is too large", async (type, kind) => {
    await using server = await startServerFor(connection, echo());
    const send = (body: Uint8Array) => sendAs(server, type, kind, body);
    const { code, message } = await send(Buffer.from('{"query": "hello"}'));
    expect(code).toBe("invalid_argument");
    expect(message).toMatch(/^this is plain JSON: .*envelope.* protobuf message\)/);
    expect(await send(encodeEnvelope(0, new Uint8Array()))).toMatchObject({ code: "ok" });
  });
});

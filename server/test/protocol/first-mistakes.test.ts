/** The most common beginners' mistakes. The error for each says what to send instead. */

import { once } from "node:events";
import { connect } from "node:http2";
import { buffer } from "node:stream/consumers";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const USERS = "/user.v1.UserService";
const STREAMS = "/stream.v1.StreamService";

interface Reply {
  status: number;
  header(name: string): string | undefined;
  json: unknown;
}

async function send(
  server: TestServer,
  httpVersion: "1.1" | "2",
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string | Uint8Array = "{}",
): Promise<Reply> {
  const hasBody = method === "POST" || method === "PUT" || method === "PATCH";
  if (httpVersion === "1.1") {
    const response = await fetch(server.url + path, { method, headers, ...(hasBody && { body: Buffer.from(body) }) });
    const text = await response.text();
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? undefined,
      json: text && JSON.parse(text),
    };
  }
  const session = connect(server.url);
  const stream = session.request({ ":method": method, ":path": path, ...headers });
  if (hasBody) stream.end(body);
  const [fields] = await once(stream, "response");
  const text = String(await buffer(stream));
  session.close();
  return { status: fields[":status"], header: (name) => fields[name], json: text && JSON.parse(text) };
}

describe.each(["1.1", "2"] as const)("over HTTP/%s", (httpVersion) => {
  test.each([
    [`${USERS}/GetUser`, "text/plain", "send content-type: application/json"],
    [`${USERS}/GetUser`, "application/x-www-form-urlencoded", "send content-type: application/json"],
    [`${USERS}/GetUser`, "application/grpc+thrift", "send content-type: application/json"],
    [
      `${STREAMS}/ServerStream`,
      "application/json",
      "ServerStream is a stream: send content-type: application/connect+json",
    ],
  ])("%s as %s is 415, and says what to send", async (path, contentType, message) => {
    await using server = await startServer();
    const reply = await send(server, httpVersion, "POST", path, {
      ...(await server.auth()),
      "content-type": contentType,
    });
    expect(reply.status).toBe(415);
    expect(reply.header("content-type")).toMatch(/^application\/json/);
    expect(reply.header("x-content-type-options")).toBe("nosniff");
    expect(reply.json).toEqual({ code: "unknown", message });
    expect(await until(() => server.log.find(({ msg }) => msg === "call"))).toMatchObject({ code: "unknown" });
  });

  test.each([
    ["GET", `${USERS}/CreateUser?encoding=json&message={}`, "POST", "CreateUser takes POST"],
    ["PUT", `${USERS}/CreateUser`, "POST", "CreateUser takes POST"],
    ["DELETE", `${USERS}/GetUser`, "POST, GET", "GetUser takes POST and GET"],
    ["GET", `${STREAMS}/ServerStream`, "POST", "ServerStream takes POST"],
  ])("%s %s is 405, and says what it takes", async (method, path, allow, message) => {
    await using server = await startServer();
    const headers = { ...(await server.auth()), "content-type": "application/json" };
    const reply = await send(server, httpVersion, method, path, headers);
    expect(reply.status).toBe(405);
    expect(reply.header("allow")).toBe(allow);
    expect(reply.json).toEqual({ code: "unknown", message });
  });

  test("HEAD is 405 with Allow", async () => {
    await using server = await startServer();
    const reply = await send(server, httpVersion, "HEAD", `${USERS}/GetUser`, await server.auth());
    expect([reply.status, reply.header("allow")]).toEqual([405, "POST, GET"]);
  });

  test.each([
    ["POST", "/healthz"],
    ["PUT", "/readyz?verbose"],
    ["DELETE", "/docs"],
    ["PATCH", "/descriptors.binpb"],
  ])("%s %s is 405, since it is a page", async (method, path) => {
    await using server = await startServer();
    const reply = await send(server, httpVersion, method, path, { "content-type": "application/json" });
    expect([reply.status, reply.header("allow"), reply.header("cache-control")]).toEqual([
      405,
      "GET, HEAD",
      "no-store",
    ]);
    expect(reply.json).toEqual({ code: "unknown", message: "this page takes GET and HEAD" });
    await until(() => server.log.find(({ msg, status }) => msg === "request refused" && status === 405));
  });

  test("no verb tells whether there is a page of metrics", async () => {
    await using server = await startServer();
    await using without = await startServer({ metrics: "off" });
    const [there, nowhere] = [server, without].map((some) => send(some, httpVersion, "POST", "/metrics", {}));
    const { status, json } = (await there) as Reply;
    expect({ status, json }).toEqual({
      status: 404,
      json: { code: "unimplemented", message: "no such method or page" },
    });
    expect(await nowhere).toMatchObject({ status, json });
  });

  test("a gRPC client that calls a page learns that there is no such method", async () => {
    await using server = await startServer();
    const reply = await send(server, httpVersion, "POST", "/healthz", { "content-type": "application/grpc" });
    expect([reply.status, reply.header("grpc-status")]).toEqual([200, "12"]);
  });

  test("a GET without its encoding says what to add", async () => {
    await using server = await startServer();
    const reply = await send(server, httpVersion, "GET", `${USERS}/ListUsers`, await server.auth());
    expect(reply).toMatchObject({
      status: 415,
      json: { message: "add encoding=json and message={} to the query" },
    });
  });

  test.each([undefined, "Bearer none"])("401 for the token %s has a challenge", async (authorization) => {
    await using server = await startServer();
    const headers = { "content-type": "application/json", ...(authorization && { authorization }) };
    const reply = await send(server, httpVersion, "POST", `${USERS}/ListUsers`, headers);
    expect(reply.status).toBe(401);
    expect(reply.header("www-authenticate")).toBe("Bearer");
    expect(reply.json).toMatchObject({ code: "unauthenticated" });
    const granted = await send(server, httpVersion, "POST", `${USERS}/ListUsers`, {
      "content-type": "application/json",
      ...(await server.auth()),
    });
    expect([granted.status, granted.header("www-authenticate")]).toEqual([200, undefined]);
  });

  test("every JSON answer is said to be what it is", async () => {
    await using server = await startServer();
    const json = { "content-type": "application/json", ...(await server.auth()) };
    const answers = [
      send(server, httpVersion, "GET", "/healthz", {}),
      send(server, httpVersion, "GET", "/readyz", {}),
      send(server, httpVersion, "GET", "/nothing", {}),
      send(server, httpVersion, "GET", "/%", {}),
      send(server, httpVersion, "POST", `${USERS}/ListUsers`, json),
      send(server, httpVersion, "POST", `${USERS}/GetUser`, json),
      send(server, httpVersion, "GET", `${USERS}/ListUsers?encoding=json&message={}`, json),
    ];
    for (const { status, header } of await Promise.all(answers)) {
      expect({ status, nosniff: header("x-content-type-options") }).toEqual({ status, nosniff: "nosniff" });
      expect(header("content-type")).toMatch(/^application\/json/);
    }
  });
});

test("a conversation over HTTP/1.1 says what it needs", async () => {
  await using server = await startServer();
  const headers = { ...(await server.auth()), "content-type": "application/connect+json" };
  const body = encodeEnvelope(0, Buffer.from("{}"));
  const reply = await send(server, "1.1", "POST", `${STREAMS}/BidirectionalStream`, headers, body);
  expect(reply).toMatchObject({
    status: 505,
    json: { code: "unknown", message: "BidirectionalStream is a bidi stream: it needs HTTP/2 or a WebSocket" },
  });
});

test("an invalid argument is one line in the log", async () => {
  await using server = await startServer();
  const headers = { ...(await server.auth()), "content-type": "application/json" };
  for (const httpVersion of ["1.1", "2"] as const) {
    const reply = await send(server, httpVersion, "POST", `${USERS}/GetUser`, headers);
    expect(reply.status).toBe(400);
  }
  expect(server.log.filter(({ msg }) => msg === "call" || msg === "request refused").map(({ msg }) => msg)).toEqual([
    "call",
    "call",
  ]);
});

/**
 * Requests that reach no handler. They are answered in the caller's own protocol or in plain HTTP, and logged like any
 * call.
 */
import { Code, createClient } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { UserService } from "@rollcall/gen/user/v1/user";
import { cells, connections, createCellTransport, errorOf, startServerFor } from "@rollcall/testing/matrix";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { rawRequest } from "@rollcall/testing/raw/http";
import { type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

/** Returns the log line of the only call that the server has had. */
function accessLine(server: TestServer): Promise<Record<string, unknown>> {
  return until(() => server.log.find(({ msg }) => msg === "call"));
}

describe.each(cells)("access log: $protocol over $connection", (cell) => {
  test("a call that succeeds", async () => {
    await using server = await startServerFor(cell);
    const users = createClient(UserService, await createCellTransport(server, cell));
    await users.listUsers({}, { headers: { "x-request-id": "the-id" } });
    expect(await accessLine(server)).toMatchObject({
      level: "info",
      requestId: "the-id",
      method: "user.v1.UserService/ListUsers",
      protocol: cell.logName,
      code: "ok",
      peer: expect.stringMatching(/^(127\.0\.0\.1|\[::1\]):\d+$/),
      principal: "tester",
      durationMs: expect.any(Number),
    });
  });

  test("a stream, once, at its end", async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const handlers = withProbe({
      async *serverStream() {
        yield {};
        await released;
      },
    });
    await using server = await startServerFor(cell, handlers);
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    const lines = () => server.log.filter(({ msg }) => msg === "call");
    for await (const _message of probe.serverStream({})) {
      expect(lines()).toEqual([]);
      release();
    }
    await accessLine(server);
    expect(lines()).toMatchObject([
      { method: "probe.v1.ProbeService/ServerStream", protocol: cell.logName, code: "ok", principal: "tester" },
    ]);
  });

  test("a call that fails", async () => {
    await using server = await startServerFor(cell);
    const users = createClient(UserService, await createCellTransport(server, cell));
    await errorOf(users.getUser({ id: "none" }));
    expect(await accessLine(server)).toMatchObject({ code: "not_found", protocol: cell.logName, principal: "tester" });
  });

  test("a call that the gate refuses", async () => {
    await using server = await startServerFor(cell);
    const users = createClient(UserService, await createCellTransport(server, cell));
    const invalid = { authorization: "Bearer none" };
    const error = await errorOf(users.listUsers({}, { headers: invalid }));
    expect(error).toMatchObject({ code: Code.Unauthenticated, rawMessage: "invalid token" });
    const line = await accessLine(server);
    expect(line).toMatchObject({ code: "unauthenticated", protocol: cell.logName });
    expect(line).not.toHaveProperty("principal");
  });
});

const garbage = Uint8Array.of(0xff, 0xff, 0xff);
const inEnvelope = encodeEnvelope(0, garbage);
const getUser = "user.v1.UserService/GetUser";
const serverStream = "stream.v1.StreamService/ServerStream";

describe("by hand, over HTTP/1.1", () => {
  test.each([
    { type: "application/json", method: getUser, body: "{", protocol: "connect", code: "invalid_argument" },
    { type: "application/proto", method: getUser, body: garbage, protocol: "connect", code: "invalid_argument" },
    {
      type: "application/connect+proto",
      method: serverStream,
      body: inEnvelope,
      protocol: "connect",
      code: "invalid_argument",
    },
    // These codes follow gRPC's table of status codes.
    { type: "application/grpc-web+proto", method: getUser, body: inEnvelope, protocol: "grpc-web", code: "internal" },
    { type: "application/grpc+proto", method: getUser, body: inEnvelope, protocol: "grpc", code: "internal" },
  ])("$type that can't be parsed", async ({ type, method, body, protocol, code }) => {
    await using server = await startServerFor(connections.http1);
    const { authorization } = await server.auth();
    await rawRequest("POST", `${server.url}/${method}`, { authorization, "content-type": type }, body);
    expect(await accessLine(server)).toMatchObject({ method, protocol, code, principal: "tester" });
  });

  test.each([
    "text/plain",
    "application/xml",
    // gRPC-Web in base64 was meant for browsers that could not read binary responses.
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
    "",
  ])("content type %j: 415", async (type) => {
    await using server = await startServerFor(connections.http1);
    const headers = { ...(await server.auth()), ...(type && { "content-type": type }) };
    const { status } = await rawRequest("POST", `${server.url}/${getUser}`, headers, "{}");
    expect(status).toBe(415);
    const line = await accessLine(server);
    expect(line).toMatchObject({ method: getUser, code: "unknown", requestBytes: 0 });
    expect(line).not.toHaveProperty("protocol");
  });

  test("GET of a method with side effects: 405", async () => {
    await using server = await startServerFor(connections.http1);
    const method = "user.v1.UserService/CreateUser";
    const query = new URLSearchParams({ connect: "v1", encoding: "json", message: "{}" });
    const { status } = await rawRequest("GET", `${server.url}/${method}?${query}`, await server.auth());
    expect(status).toBe(405);
    expect(await accessLine(server)).toMatchObject({ method, code: "unknown" });
  });

  test("bidi stream: 505", async () => {
    await using server = await startServerFor(connections.http1);
    const method = "stream.v1.StreamService/BidirectionalStream";
    const headers = { ...(await server.auth()), "content-type": "application/connect+json", connection: "keep-alive" };
    const response = await rawRequest("POST", `${server.url}/${method}`, headers, encodeEnvelope(0, garbage));
    expect(response.status).toBe(505);
    // A client that expects full duplex, and waits for an answer, would hang.
    expect(response.headers.get("connection")).toBe("close");
    expect(await accessLine(server)).toMatchObject({ method, code: "unknown" });
  });
});

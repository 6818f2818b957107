/** Errors have the same codes, messages and google.rpc details in each protocol. */
import { once } from "node:events";
import http2 from "node:http2";
import { Code, ConnectError, createClient, type HandlerContext } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, ResourceInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { cells, createCellTransport, errorOf, protocolCells, startServerFor } from "@rollcall/testing/matrix";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { startServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

describe.concurrent.each(cells)("$protocol over $connection", (cell) => {
  test("bad fields: invalid_argument with every violation in a BadRequest", async () => {
    await using server = await startServerFor(cell);
    const users = createClient(UserService, await createCellTransport(server, cell));
    const error = await errorOf(users.createUser({ email: "ada", name: "", requestId: "two words" }));
    expect(error).toMatchObject({ code: Code.InvalidArgument, rawMessage: "validation failed" });
    expect(error.details).toHaveLength(1);
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([
      { field: "email", description: "must be a valid email address" },
      { field: "name", description: "must not be empty" },
      { field: "request_id", description: "must be printable ASCII" },
    ]);
  });

  test("a bad field of a stream's request: the same", async () => {
    await using server = await startServerFor(cell);
    const streams = createClient(StreamService, await createCellTransport(server, cell));
    const error = await errorOf(Array.fromAsync(streams.serverStream({ query: "" })));
    expect(error).toMatchObject({ code: Code.InvalidArgument, rawMessage: "query is required" });
    expect(error.findDetails(BadRequestSchema)).toMatchObject([{ fieldViolations: [{ field: "query" }] }]);
  });

  test("no such user: not_found with a ResourceInfo", async () => {
    await using server = await startServerFor(cell);
    const users = createClient(UserService, await createCellTransport(server, cell));
    const error = await errorOf(users.getUser({ id: "none" }));
    expect(error).toMatchObject({ code: Code.NotFound, rawMessage: "user not found" });
    expect(error.findDetails(ResourceInfoSchema)).toMatchObject([
      { resourceType: "user.v1.User", resourceName: "none" },
    ]);
  });

  test("e-mail taken: already_exists with an ErrorInfo", async () => {
    await using server = await startServerFor(cell);
    const users = createClient(UserService, await createCellTransport(server, cell));
    await users.createUser({ email: "ada@example.com", name: "Ada" });
    const error = await errorOf(users.createUser({ email: "ADA@example.com", name: "Ada" }));
    expect(error).toMatchObject({ code: Code.AlreadyExists, rawMessage: "email already in use" });
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "EMAIL_TAKEN", domain: "rollcall" }]);
  });

  test("an error in the middle of a stream comes after the messages before it", async () => {
    const handlers = withProbe({
      async *serverStream() {
        yield { value: "first" };
        throw new ConnectError("enough – schön", Code.Aborted, undefined, [
          { desc: ErrorInfoSchema, value: { reason: "ENOUGH" } },
        ]);
      },
    });
    await using server = await startServerFor(cell, handlers);
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    const values: string[] = [];
    const error = await errorOf(
      (async () => {
        for await (const { value } of probe.serverStream({})) values.push(value);
      })(),
    );
    expect(values).toEqual(["first"]);
    expect(error).toMatchObject({ code: Code.Aborted, rawMessage: "enough – schön" });
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "ENOUGH" }]);
  });

  test("a method that nobody serves: unimplemented", async () => {
    await using server = await startServerFor(cell);
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    expect(await errorOf(probe.unary({}))).toMatchObject({ code: Code.Unimplemented });
    expect(await errorOf(Array.fromAsync(probe.serverStream({})))).toMatchObject({ code: Code.Unimplemented });
    expect(await errorOf(probe.clientStream(noMessages()))).toMatchObject({ code: Code.Unimplemented });
  });
});

describe.concurrent.each(protocolCells)("$protocol: a fault inside", (cell) => {
  const thrown: readonly [string, unknown][] = [
    ["an Error", new Error("password hunter2", { cause: new Error("hunter2 too") })],
    ["a TypeError", new TypeError("password hunter2")],
    ["a string", "password hunter2"],
    ["an AbortError of another signal", new DOMException("password hunter2", "AbortError")],
  ];

  test.each(thrown)("%s thrown by a handler is internal, with nothing of the cause", async (_name, fault) => {
    const handlers = withProbe({
      unary() {
        throw fault;
      },
      async *serverStream() {
        yield {};
        throw fault;
      },
      clientStream: () => Promise.reject(fault),
    });
    await using server = await startServerFor(cell, handlers);
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    for (const call of [
      () => probe.unary({}),
      () => Array.fromAsync(probe.serverStream({})),
      () => probe.clientStream(noMessages()),
    ]) {
      const error = await errorOf(call());
      expect(error).toMatchObject({ code: Code.Internal, rawMessage: "internal server error", details: [] });
      expect(JSON.stringify([error.message, ...error.metadata])).not.toContain("hunter2");
    }
    // The log contains the error, with the id that the caller got.
    const faults = server.log.filter(({ msg }) => msg === "call failed");
    expect(faults).toHaveLength(3);
    for (const fault of faults) {
      expect(JSON.stringify(fault)).toContain("hunter2");
      expect(fault).toMatchObject({ level: "error", requestId: expect.any(String) });
    }
  });
});

test.concurrent("an unknown method is unimplemented, as gRPC's Trailers-Only: its header block ends the stream", async () => {
  await using server = await startServer();
  const session = http2.connect(server.url);
  const stream = session.request({
    ":method": "POST",
    ":path": "/user.v1.UserService/Nope",
    "content-type": "application/grpc",
  });
  const [headers, flags] = (await once(stream, "response")) as [http2.IncomingHttpHeaders, number];
  expect(headers).toMatchObject({ ":status": 200, "grpc-status": "12", "content-type": "application/grpc" });
  expect(headers["x-request-id"]).toBeDefined();
  expect(flags & http2.constants.NGHTTP2_FLAG_END_STREAM).not.toBe(0);
  session.destroy();
});

test.concurrent.each(["Unary", "ServerStream"])(
  "headers of a gRPC %s handler that fails at once are no trailers",
  async (method) => {
    const fail = (_request: unknown, { responseHeader }: HandlerContext): never => {
      responseHeader.set("x-custom", "set");
      throw new ConnectError("enough", Code.Aborted);
    };
    // biome-ignore lint/correctness/useYield: it fails before its first message.
    const failLater = async function* (request: unknown, context: HandlerContext) {
      fail(request, context);
    };
    await using server = await startServer(withProbe({ unary: fail, serverStream: failLater }));
    const session = http2.connect(server.url);
    const stream = session.request({
      ":method": "POST",
      ":path": `/probe.v1.ProbeService/${method}`,
      "content-type": "application/grpc",
      ...(await server.auth()),
    });
    const trailed = once(stream, "trailers");
    stream.end(Buffer.alloc(5));
    const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
    expect(headers).toMatchObject({ ":status": 200, "x-custom": "set" });
    expect(headers["grpc-status"]).toBe(undefined);
    stream.resume();
    expect((await trailed)[0]).toMatchObject({ "grpc-status": String(Code.Aborted), "grpc-message": "enough" });
    session.destroy();
  },
);

async function* noMessages(): AsyncIterable<Record<string, never>> {}

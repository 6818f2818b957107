/** Each call ends with a status that its client can read, whatever the text of its error. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { GrpcJsClient } from "@rollcall/testing/grpc-js";
import {
  connections,
  createCellTransport,
  errorOf,
  plainCells,
  plainConnections,
  protocolCells,
  startServerFor,
} from "@rollcall/testing/matrix";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { rawCall } from "@rollcall/testing/raw/call";
import { HALF_CLOSE, openSocket, PROBE, body as socketBody } from "@rollcall/testing/raw/web-socket";
import type { TestServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

/**
 * Creates handlers that throw the result of `thrown`: immediately, after a message, and when they have read a stream.
 */
function failing(thrown: () => unknown) {
  return withProbe({
    unary() {
      throw thrown();
    },
    async *serverStream() {
      yield { value: "first" };
      throw thrown();
    },
    async clientStream(requests) {
      await Array.fromAsync(requests);
      throw thrown();
    },
  });
}

const messages: [string, string, string][] = [
  ["the first half of a surrogate pair", "cut \ud83d", "cut \ufffd"],
  ["the second half", "\ude00 cut", "\ufffd cut"],
  ["halves the wrong way round", "\ude00\ud83d", "\ufffd\ufffd"],
  ["NUL", "a\0b", "a\0b"],
  ["lines", "a\r\nb\ngrpc-status: 0\r\n\r\n", "a\r\nb\ngrpc-status: 0\r\n\r\n"],
  ["percent signs", "100% %41 %zz", "100% %41 %zz"],
  ["characters beyond ASCII", "schön – 😀", "schön – 😀"],
  ["nothing", "", ""],
];

describe.each(plainCells)("$protocol over $connection", (cell) => {
  test("any text, from each kind of method", async () => {
    let text = "";
    await using server = await startServerFor(
      cell,
      failing(() => new ConnectError(text, Code.Aborted)),
    );
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    for (const [name, message, received] of messages) {
      text = message;
      for (const call of [
        () => probe.unary({}),
        () => Array.fromAsync(probe.serverStream({})),
        () => probe.clientStream(noMessages()),
      ]) {
        const { code, rawMessage } = await errorOf(call());
        expect({ name, code, rawMessage }).toEqual({ name, code: Code.Aborted, rawMessage: received });
      }
    }
  });

  test.each(["x", "😀", "\ud83d"])("64 KiB of %j", async (character) => {
    const text = character.repeat(65_536);
    await using server = await startServerFor(
      cell,
      failing(() => new ConnectError(text, Code.Aborted)),
    );
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    for (const call of [() => probe.unary({}), () => Array.fromAsync(probe.serverStream({}))]) {
      const { code, rawMessage } = await errorOf(call());
      expect(code).toBe(Code.Aborted);
      // gRPC's message is a header, and clients accept only a few KiB of headers.
      if (cell.logName !== "grpc") expect(rawMessage === text.toWellFormed()).toBe(true);
      else {
        expect(rawMessage).toMatch(/^.{50,1024}…$/u);
        expect(text.toWellFormed().startsWith(rawMessage.slice(0, -1))).toBe(true);
      }
    }
  });
});

describe.each(plainCells)("$protocol over $connection: metadata", (cell) => {
  test.each([
    ["connection", "close"],
    ["transfer-encoding", "gzip"],
    ["x-control", "a\x01b"],
    ["x-long", "x".repeat(70_000)],
  ])("%s, which can't be sent, is left out and logged", async (name, value) => {
    const metadata = { [name]: value, "x-reason": "é" };
    const handlers = failing(() => new ConnectError("enough", Code.Aborted, metadata));
    await using server = await startServerFor(cell, handlers);
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    for (const call of [() => probe.unary({}), () => Array.fromAsync(probe.serverStream({}))]) {
      const error = await errorOf(call());
      expect(error).toMatchObject({ code: Code.Aborted, rawMessage: "enough" });
      expect(error.metadata.get("x-reason")).not.toBe(null);
      expect(error.metadata.get(name)).not.toBe(value);
    }
    expect(server.log.filter(({ level, msg }) => level === "error" && msg === "call failed")).toHaveLength(2);
  });
});

describe.each(protocolCells)("$protocol: details", (cell) => {
  const info = { desc: ErrorInfoSchema, value: { reason: "ENOUGH" } };

  test("one that can't be encoded is left out, and logged", async () => {
    const broken = { desc: RetryInfoSchema, value: { retryDelay: { seconds: "soon" as unknown as bigint } } };
    const handlers = failing(() => new ConnectError("enough", Code.Aborted, undefined, [broken, info]));
    await using server = await startServerFor(cell, handlers);
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    for (const call of [() => probe.unary({}), () => Array.fromAsync(probe.serverStream({}))]) {
      const error = await errorOf(call());
      expect(error).toMatchObject({ code: Code.Aborted, rawMessage: "enough" });
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "ENOUGH" }]);
    }
    expect(server.log.filter(({ level }) => level === "error")).toHaveLength(2);
  });

  test.each([10_000, 60_000, 200_000])("of %i bytes: the status arrives, with what has room", async (length) => {
    const long = {
      desc: BadRequestSchema,
      value: { fieldViolations: [{ field: "a", description: "x".repeat(length) }] },
    };
    const handlers = failing(() => new ConnectError("enough", Code.Aborted, undefined, [long, info]));
    await using server = await startServerFor(cell, handlers);
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    const error = await errorOf(probe.unary({}));
    expect(error).toMatchObject({ code: Code.Aborted, rawMessage: "enough" });
    expect(error.findDetails(ErrorInfoSchema)).toHaveLength(1);
    expect(error.findDetails(BadRequestSchema)).toHaveLength(cell.logName === "grpc" ? 0 : 1);
  });

  test.each([
    { rpcEngine: "direct", length: 1 },
    { rpcEngine: "stock", length: 1 },
    // The end of the answer is compressed.
    { rpcEngine: "stock", length: 2_000 },
  ] as const)("a response that can't be encoded is internal: $rpcEngine, $length", async ({ rpcEngine, length }) => {
    const unwritable = {
      toString() {
        throw new Error("hunter2".repeat(length));
      },
    } as unknown as string;
    const handlers = withProbe({
      unary: () => ({ value: unwritable }),
      async *serverStream() {
        yield { value: "first" };
        yield { value: unwritable };
      },
    });
    await using server = await startServerFor(cell, { ...handlers, rpcEngine });
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    for (const call of [() => probe.unary({}), () => Array.fromAsync(probe.serverStream({}))]) {
      expect(await errorOf(call())).toMatchObject({ code: Code.Internal, rawMessage: "internal server error" });
    }
    expect(server.log.filter(({ level, msg }) => level === "error" && msg === "call failed")).toHaveLength(2);
    await expect
      .poll(() => server.log.filter(({ msg }) => msg === "call"))
      .toMatchObject([{ code: "internal" }, { code: "internal" }]);
  });
});

test("grpc-js reads the status of an error that says too much", async () => {
  const text = "\ud83dä\n".repeat(20_000);
  const long = {
    desc: BadRequestSchema,
    value: { fieldViolations: [{ field: "a", description: "x".repeat(60_000) }] },
  };
  const handlers = failing(() => new ConnectError(text, Code.Aborted, undefined, [long]));
  await using server = await startServerFor(connections.h2c, handlers);
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${await server.token()}`);
  using client = new GrpcJsClient(server.port, metadata);
  const failure = await client.unary(ProbeService.method.unary, {}).catch((error: ServiceError) => error);
  expect(failure).toMatchObject({ code: Code.Aborted, details: expect.stringMatching(/^(\ufffdä\n){10,}.*…$/s) });
});

/** V8's message quotes the text that it can't parse, and may cut a pair in two. */
describe("JSON whose parser's message cuts a surrogate pair", () => {
  const json = Buffer.from("😀");
  const rows = plainConnections.flatMap((connection) =>
    ["application/grpc+json", "application/grpc-web+json", "application/connect+json", "application/json"].map(
      (type) => ({ ...connection, type }),
    ),
  );

  test.each(rows)("$type over $connection", async ({ type, ...connection }) => {
    await using server = await startServerFor(
      connection,
      failing(() => new Error("never called")),
    );
    for (const kind of ["Unary", "ServerStream", "ClientStream"]) {
      const isUnary = kind === "Unary";
      if (isUnary === type.includes("connect") || (!isUnary && type === "application/json")) continue;
      const { code, message } = await rawCall(server, connection, {
        path: `/probe.v1.ProbeService/${kind}`,
        headers: { "content-type": type, te: "trailers" },
        body: type === "application/json" ? json : encodeEnvelope(0, json),
      });
      expect({ kind, code }).toEqual({ kind, code: "invalid_argument" });
      expect(message.isWellFormed()).toBe(true);
    }
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("over a WebSocket", async () => {
    await using server: TestServer = await startServerFor(
      connections.http1,
      failing(() => new Error("never called")),
    );
    const { authorization } = await server.auth();
    const socket = openSocket(server, { path: PROBE.replace("BidiStream", "Unary") });
    await socket.opened;
    socket.ws.send(Buffer.from(`content-type: application/grpc-web+json\r\nauthorization: ${authorization}\r\n`));
    socket.ws.send(socketBody(encodeEnvelope(0, json)));
    socket.ws.send(HALF_CLOSE);
    expect(await socket.closed).toEqual({ code: 1000, status: 3 });
  });
});

async function* noMessages(): AsyncIterable<Record<string, never>> {}

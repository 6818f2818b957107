import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { ServerStreamResponseSchema, StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import {
  createFetchTransport,
  createRetryInterceptor,
  createRollcall,
  RollcallError,
  toRollcallError,
  ValidationError,
} from "../src/index.ts";
import { createRollcall as createNodeClient, createNodeTransport } from "../src/node/index.ts";
import { checkEachForLeaks } from "./support/leaks.ts";
import { type RawResponse, startRawServer } from "./support/raw-server.ts";

checkEachForLeaks();

function envelope(flags: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(5 + data.byteLength);
  bytes[0] = flags;
  new DataView(bytes.buffer).setUint32(1, data.byteLength);
  bytes.set(data, 5);
  return bytes;
}

const text = (content: string) => new TextEncoder().encode(content);
const message = envelope(0, toBinary(ServerStreamResponseSchema, create(ServerStreamResponseSchema, { data: "one" })));
const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const END_STREAM = 0x02;
const COMPRESSED = 0x01;
const TRAILERS = 0x80;

const protocols = {
  connect: { headers: { "content-type": "application/connect+proto" }, end: envelope(END_STREAM, text("{}")) },
  "grpc-web": {
    headers: { "content-type": "application/grpc-web+proto" },
    end: envelope(TRAILERS, text("grpc-status: 0\r\n")),
  },
  grpc: { headers: { "content-type": "application/grpc+proto" }, trailers: { "grpc-status": "0" }, end: text("") },
} satisfies Record<string, Omit<RawResponse, "body"> & { end: Uint8Array }>;

type Protocol = keyof typeof protocols;

/** Ways in which a body can be broken, although HTTP considers it complete. */
const faults: Record<
  string,
  (protocol: Protocol) => Omit<RawResponse, "headers"> & { headers?: RawResponse["headers"] }
> = {
  "without its end": () => ({ body: message }),
  "within a message": (protocol) => ({ ...trailersOf(protocol), body: join(message, message.subarray(0, 7)) }),
  "within a message's head": (protocol) => ({ ...trailersOf(protocol), body: join(message, message.subarray(0, 3)) }),
  "with bytes that are no gzip": (protocol) => ({
    ...trailersOf(protocol),
    headers: { [protocol === "connect" ? "connect-content-encoding" : "grpc-encoding"]: "gzip" },
    body: join(message, envelope(COMPRESSED, text("no gzip")), protocols[protocol].end),
  }),
  "with bytes that are no protobuf": (protocol) => ({
    ...trailersOf(protocol),
    body: join(message, envelope(0, text("\u0007")), protocols[protocol].end),
  }),
  "with more behind its end": (protocol) => ({
    ...trailersOf(protocol),
    body: join(message, protocols[protocol].end, protocol === "grpc" ? envelope(COMPRESSED, text("")) : message),
  }),
};

function trailersOf(protocol: Protocol): Pick<RawResponse, "trailers"> {
  return protocol === "grpc" ? { trailers: protocols.grpc.trailers } : {};
}

/** Reads the stream to its end. Resolves with its messages and its error. */
async function read(transport: Transport) {
  const seen: string[] = [];
  try {
    for await (const { data } of createClient(StreamService, transport).serverStream({ query: "q" })) seen.push(data);
  } catch (error) {
    return { seen, error };
  }
  return { seen, error: undefined };
}

/** Expects the code internal, or unknown, which connect-es uses in some cases. Neither blames the caller. */
function expectServersFault(error: unknown): void {
  expect(error).toBeInstanceOf(ConnectError);
  expect([Code.Internal, Code.Unknown]).toContain((error as ConnectError).code);
  expect(toRollcallError(error)).not.toBeInstanceOf(RollcallError);
}

for (const [name, fault] of Object.entries(faults)) {
  for (const protocol of ["connect", "grpc-web", "grpc"] as const) {
    for (const httpVersion of ["2", "1.1"] as const) {
      if (protocol === "grpc" && httpVersion === "1.1") continue;
      test(`a stream ${name} is the server's fault: ${protocol}, HTTP/${httpVersion}`, async () => {
        const { headers, ...response } = fault(protocol);
        await using server = await startRawServer({
          ...response,
          headers: { ...protocols[protocol].headers, ...headers },
        });
        const address = httpVersion === "2" ? server.http2 : server.http1;
        const transport = createNodeTransport({ baseUrl: address, protocol, httpVersion });
        const { seen, error } = await read(transport);
        expect(seen[0]).toBe("one");
        expectServersFault(error);
        if (protocol === "connect") expect(error).toMatchObject({ code: Code.Internal });
        await transport.close();
      });
    }
  }

  // connect-web reads on, and interprets the rest as messages.
  if (name === "with more behind its end") continue;
  test(`a stream ${name} is the server's fault: fetch`, async () => {
    const { headers, ...response } = fault("connect");
    await using server = await startRawServer({ ...response, headers: { ...protocols.connect.headers, ...headers } });
    const { error } = await read(createFetchTransport({ baseUrl: server.http1 }));
    expectServersFault(error);
  });
}

test("the control: a whole stream is no error, and what the server refuses stays as it is", async () => {
  const refusal = envelope(END_STREAM, text('{"error":{"code":"invalid_argument","message":"query is required"}}'));
  for (const protocol of ["connect", "grpc-web", "grpc"] as const) {
    const { end, ...response } = protocols[protocol];
    await using server = await startRawServer({ ...response, body: join(message, end) });
    const transport = createNodeTransport({ baseUrl: server.http2, protocol });
    expect(await read(transport)).toEqual({ seen: ["one"], error: undefined });
    await transport.close();
  }
  await using server = await startRawServer({ headers: protocols.connect.headers, body: join(message, refusal) });
  const transport = createNodeTransport({ baseUrl: server.http2, protocol: "connect" });
  for (const { error } of [await read(transport), await read(createFetchTransport({ baseUrl: server.http1 }))]) {
    expect(error).toMatchObject({ code: Code.InvalidArgument, rawMessage: "query is required" });
    expect(toRollcallError(error)).toBeInstanceOf(ValidationError);
  }
  await transport.close();
  // Another control: Connect's own transport blames the caller, but its error can still be distinguished from a
  // refusal.
  await using cut = await startRawServer({ headers: protocols.connect.headers, body: message });
  const { error } = await read(createConnectTransport({ baseUrl: cut.http1, httpVersion: "1.1" }));
  expect(error).toMatchObject({ code: Code.InvalidArgument });
  expect(toRollcallError(error)).not.toBeInstanceOf(RollcallError);
});

test("a response whose connection is lost within its bytes is unavailable", async () => {
  const server = http.createServer((request, response) => {
    const type = request.url?.includes("encoding=json") ? "json" : "proto";
    response.writeHead(200, { "content-type": `application/${type}`, "content-length": "100" });
    response.write(message, () => request.socket.resetAndDestroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const client of [
    createRollcall({ baseUrl: address, retry: false }),
    createNodeClient({ baseUrl: address, protocol: "connect", httpVersion: "1.1", retry: false }),
  ]) {
    await expect(client.users.get("1")).rejects.toMatchObject({ code: Code.Unavailable });
    await client.close();
  }
  server.close();
});

test("a unary response with missing or broken bytes is the server's fault, and is not asked for again", async () => {
  const responses: RawResponse[] = [
    { headers: { "content-type": "application/proto", "content-encoding": "gzip" }, body: text("no gzip") },
    { headers: { "content-type": "application/proto" }, body: text("\u0007") },
    { headers: { "content-type": "application/proto" }, body: message.subarray(0, 3) },
  ];
  for (const response of responses) {
    await using server = await startRawServer(response);
    const interceptors = [createRetryInterceptor()];
    const pooled = (httpVersion: "1.1" | "2") =>
      createNodeTransport({
        baseUrl: httpVersion === "2" ? server.http2 : server.http1,
        protocol: "connect",
        httpVersion,
        interceptors,
      });
    const transports = [pooled("2"), pooled("1.1")];
    for (const transport of transports) {
      const error = await createClient(UserService, transport)
        .getUser({ id: "1" })
        .catch((reason: unknown) => reason);
      expectServersFault(error);
      await transport.close();
    }
    expect(server.calls).toBe(2);
  }
});

test("a response without its user is the server's fault", async () => {
  await using server = await startRawServer({
    headers: { "content-type": "application/proto" },
    body: new Uint8Array(),
  });
  await using client = createNodeClient({ baseUrl: server.http2, protocol: "connect" });
  const error = await client.users.get("1").catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConnectError);
  expect(error).toMatchObject({ code: Code.Internal, rawMessage: "broken response: it has no user" });
});

// google.rpc.Status with the code 0.
const ofSuccess = Buffer.from([8, 0]).toString("base64");

test.each([
  { "grpc-message": "disk 100% full" },
  { "grpc-message": "%e0%a4%a" },
  { "grpc-message": "for now", "grpc-status-details-bin": "!!!" },
  { "grpc-message": "100%", "grpc-status-details-bin": "////" },
  { "grpc-message": "for now", "grpc-status-details-bin": ofSuccess },
])("a gRPC status that can't be read completely keeps its code: %j", async (fields) => {
  const status = { "grpc-status": String(Code.Unavailable), ...fields };
  const lines = Object.entries(status).map(([name, value]) => `${name}: ${value}\r\n`);
  const { grpc, "grpc-web": web } = protocols;
  const answers: [Protocol, RawResponse][] = [
    ["grpc", { headers: grpc.headers, body: text(""), trailers: status }],
    ["grpc", { headers: { ...grpc.headers, ...status }, body: text("") }],
    ["grpc-web", { headers: web.headers, body: envelope(TRAILERS, text(lines.join(""))) }],
    ["grpc-web", { headers: { ...web.headers, ...status }, body: text("") }],
  ];
  for (const [protocol, answer] of answers) {
    await using server = await startRawServer(answer);
    await using client = createNodeClient({ baseUrl: server.http2, protocol, retry: false });
    const expected = { code: Code.Unavailable, rawMessage: fields["grpc-message"] };
    await expect(client.users.get("1"), protocol).rejects.toMatchObject(expected);
    await expect(Array.fromAsync(client.streams.query("q")), protocol).rejects.toMatchObject(expected);
  }
});

test("what the source of a stream's messages throws is not the server's fault", async () => {
  await using server = await startRawServer({ headers: protocols.connect.headers, body: message });
  const transport = createNodeTransport({ baseUrl: server.http2, protocol: "connect" });
  const fault = new ConnectError("of the caller's own", Code.InvalidArgument);
  const upload = createClient(StreamService, transport).clientStream(
    (async function* () {
      yield { chunk: new Uint8Array(1) };
      throw fault;
    })(),
  );
  await expect(upload).rejects.toMatchObject({ code: Code.InvalidArgument, rawMessage: "of the caller's own" });
  await transport.close();
});

test.each([
  ["connect", "1.1"],
  ["connect", "2"],
  ["grpc-web", "1.1"],
  ["grpc-web", "2"],
] as const)(
  "a stream ends with its last message, even if HTTP stays open: %s, HTTP/%s",
  async (protocol, httpVersion) => {
    const { headers, end } = protocols[protocol];
    for (const isEndless of [true, false]) {
      await using server = await startRawServer({ headers, body: join(message, end), isEndless });
      const baseUrl = httpVersion === "2" ? server.http2 : server.http1;
      const transport = createNodeTransport({ baseUrl, protocol, httpVersion });
      for (let calls = 0; calls < (isEndless ? 1 : 2); calls++) {
        expect(await read(transport)).toEqual({ seen: ["one"], error: undefined });
        // The client breaks off what does not end.
        await until(() => server.openAnswers === 0);
      }
      if (httpVersion === "1.1") expect(server.connections).toBe(1);
      await transport.close();
    }
  },
);

/** Starts a server that accepts a WebSocket, and answers its first frame. */
async function startSocketServer(answer: (socket: WebSocket) => void) {
  const server = http.createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: () => "grpc-websockets" });
  sockets.on("connection", (socket) => socket.once("message", () => answer(socket)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.close();
    },
  };
}

test("a WebSocket that ends within a message is the server's fault", async () => {
  await using server = await startSocketServer((socket) => {
    socket.send(envelope(TRAILERS, text("content-type: application/grpc-web+proto\r\n")));
    socket.send(join(message, message.subarray(0, 7)));
    socket.close(1000);
  });
  const transport = createFetchTransport({ baseUrl: server.url });
  const replies: string[] = [];
  const chat = async () => {
    const requests = (async function* () {
      yield { message: "Hello" };
    })();
    for await (const { reply } of createClient(StreamService, transport).bidirectionalStream(requests)) {
      replies.push(reply);
    }
  };
  const error = await chat().catch((reason: unknown) => reason);
  expectServersFault(error);
  expect(error).toMatchObject({ code: Code.Internal });
});

// As the length of an array, the first is an error, and the second takes 2 GB.
test.each(["-1", "2000000000", "hello"])("a WebSocket that sends the text %s is the server's fault", async (frame) => {
  await using server = await startSocketServer((socket) => socket.send(frame));
  await using client = createRollcall({ baseUrl: server.url });
  using chat = client.streams.chat();
  await chat.send("Hello");
  const before = process.memoryUsage().arrayBuffers;
  const error = await Array.fromAsync(chat).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: Code.Internal, rawMessage: "protocol error: the answer has a frame of text" });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000_000);
  // The client leaves, too.
  await until(() => server.sockets.clients.size === 0);
});

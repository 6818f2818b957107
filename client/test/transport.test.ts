import { type EventEmitter, getEventListeners } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { type CallOptions, Code, createClient, type Interceptor } from "@connectrpc/connect";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { createRollcall as createFetchClient } from "../src/index.ts";
import { createNodeTransport, createRollcall, type NodeTransportOptions } from "../src/node/index.ts";
import { checkEachForLeaks } from "./support/leaks.ts";
import { startRawServer } from "./support/raw-server.ts";

checkEachForLeaks();

type Wire = Pick<NodeTransportOptions, "protocol" | "httpVersion">;

const wires: readonly Wire[] = [
  { protocol: "grpc" },
  { protocol: "grpc-web" },
  { protocol: "connect" },
  { protocol: "grpc-web", httpVersion: "1.1" },
  { protocol: "connect", httpVersion: "1.1" },
];
const formats: Readonly<Record<string, Partial<NodeTransportOptions>>> = {
  protobuf: {},
  JSON: { useBinaryFormat: false },
  "protobuf, gzip": { sendCompression: "gzip", acceptCompression: ["gzip"], compressMinBytes: 1 },
  "JSON, br, GET": {
    useBinaryFormat: false,
    sendCompression: "br",
    acceptCompression: ["br"],
    compressMinBytes: 1,
    useHttpGet: true,
  },
};
/** Without interceptors, calls take the short path; with one, they take Connect's chain. */
const chains: Readonly<Record<string, Interceptor[]>> = { "no interceptor": [], "an interceptor": [(next) => next] };

async function* from<T>(items: readonly T[]) {
  yield* items;
}

test.each(wires)(
  "all kinds of calls, in all formats, with and without interceptors: $protocol $httpVersion",
  async (wire) => {
    await using server = await startServer({ auth: false, streams: { resultIntervalMs: 0 } });
    for (const [chain, interceptors] of Object.entries(chains)) {
      for (const [format, options] of Object.entries(formats)) {
        const transport = createNodeTransport({ baseUrl: server.url, ...wire, ...options, interceptors });
        const users = createClient(UserService, transport);
        const streams = createClient(StreamService, transport);
        const name = `Zoë ${"z".repeat(2_000)}`.slice(0, 100);
        const { user } = await users.createUser({
          email: `${chain}.${format}@example.com`.replaceAll(/[ ,]/g, ""),
          name,
        });
        const seen = { header: "", trailer: undefined as Headers | undefined };
        const hooks: CallOptions = {
          headers: { "X-Request-Id": "of-the-test" },
          onHeader: (header) => {
            seen.header = header.get("x-request-id") ?? "";
          },
          onTrailer: (trailer) => {
            seen.trailer = trailer;
          },
        };
        expect((await users.getUser({ id: user?.id ?? "" }, hooks)).user?.name, `${chain}, ${format}`).toBe(name);
        expect(seen).toEqual({ header: "of-the-test", trailer: expect.any(Headers) });
        await expect(users.getUser({ id: "" })).rejects.toMatchObject({
          code: Code.InvalidArgument,
          rawMessage: "user id is required",
          details: [{ type: "google.rpc.BadRequest" }],
        });
        const chunk = new Uint8Array(100_000);
        const receipt = await streams.clientStream(from([{ chunk }, { chunk }]));
        expect(receipt.totalBytes).toBe(200_000n);
        const results = await Array.fromAsync(streams.serverStream({ query: "q".repeat(500) }));
        expect(results.map(({ sequence }) => sequence)).toEqual([...results.keys()]);
        expect(results.length).toBeGreaterThan(1);
        if (wire.httpVersion !== "1.1") {
          const replies = await Array.fromAsync(
            streams.bidirectionalStream(from([{ message: "a" }, { message: "b" }])),
          );
          expect(replies.map(({ reply }) => reply)).toEqual(["Echo: a", "Echo: b"]);
        }
        await transport.close();
      }
    }
  },
);

test("reads are called by GET where that is asked for, and nothing else is", async () => {
  const seen: string[] = [];
  const { url, close } = await listen((stream, headers) => {
    seen.push(`${headers[":method"]} ${new URL(String(headers[":path"]), "http://x").searchParams.get("encoding")}`);
    stream.respond({ ":status": 200, "content-type": "application/proto" });
    stream.end();
  });
  const transport = createNodeTransport({ baseUrl: url, protocol: "connect", useHttpGet: true });
  const users = createClient(UserService, transport);
  await users.getUser({ id: "1" });
  await users.createUser({ email: "ada@example.com" });
  expect(seen).toEqual(["GET proto", "POST null"]);
  await transport.close();
  close();
});

test("a unary answer with several messages, or too large a one, is refused before its end", async () => {
  const message = Buffer.concat([Buffer.from([0, 0, 0, 0, 0]), Buffer.from([0, 0, 0, 0, 0])]);
  const headers = { "content-type": "application/grpc+proto" };
  await using two = await startRawServer({ headers, body: message, trailers: { "grpc-status": "0" } });
  const twice = createNodeTransport({ baseUrl: two.http2 });
  await expect(createClient(UserService, twice).getUser({})).rejects.toMatchObject({ code: Code.Unimplemented });
  await twice.close();
  // The response never ends. These calls can end only because of the length in the envelope's head, or of a flood.
  for (const [first, code] of [
    [Buffer.from([0, 0, 1, 0, 1]), Code.ResourceExhausted],
    [Buffer.alloc(5), Code.Unimplemented],
  ] as const) {
    const { url, close } = await listen((stream) => {
      stream.respond({ ":status": 200, ...headers });
      stream.write(first);
      const flood = () => {
        while (!stream.destroyed && stream.write(Buffer.alloc(5_000)));
      };
      stream.on("drain", flood);
      flood();
    });
    const transport = createNodeTransport({ baseUrl: url, readMaxBytes: 65_536 });
    await expect(createClient(UserService, transport).getUser({})).rejects.toMatchObject({ code });
    await transport.close();
    close();
  }
});

test("what is left of a request is not sent on behind its answer", async () => {
  let closedWith: number | undefined;
  const { url, close } = await listen((stream) => {
    stream.on("close", () => {
      closedWith = stream.rstCode;
    });
    // The server reads one piece, so that the rest of the request has to wait.
    stream.once("data", () => stream.pause());
    stream.respond({ ":status": 200, "content-type": "application/proto" });
    stream.end();
  });
  const transport = createNodeTransport({ baseUrl: url, protocol: "connect" });
  await createClient(UserService, transport).createUser({ name: "a".repeat(1_000_000) });
  // CANCEL (RFC 9113, 7).
  expect(await until(() => closedWith)).toBe(8);
  await transport.close();
  close();
});

test("a reader that stops holds its server back, and gets everything when it goes on", async () => {
  const piece = Buffer.concat([Buffer.from([0, 0, 0, 0x10, 0]), Buffer.alloc(4_096, "\n\0")]);
  let sentPieces = 0;
  let isStuck = false;
  const total = 4_000;
  const { url, close } = await listen((stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    const send = () => {
      while (sentPieces < total) {
        sentPieces += 1;
        if (!stream.write(piece)) {
          isStuck = true;
          return;
        }
      }
      stream.end();
    };
    stream.on("drain", send);
    send();
  });
  const transport = createNodeTransport({ baseUrl: url });
  const messages = createClient(StreamService, transport).serverStream({ query: "q" })[Symbol.asyncIterator]();
  await messages.next();
  let before = -1;
  // The windows are full when nothing more leaves within 50 ms. There are 16 MB to send.
  while (before !== sentPieces) {
    before = sentPieces;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(isStuck).toBe(true);
  expect(sentPieces).toBeLessThan(total / 2);
  let count = 1;
  while (!(await messages.next()).done) count += 1;
  expect(count).toBe(total);
  await transport.close();
  close();
});

test("who leaves a stream cancels the call, and its source is let go", async () => {
  await using server = await startServer({ auth: false });
  for (const interceptors of Object.values(chains)) {
    const transport = createNodeTransport({ baseUrl: server.url, interceptors });
    let isReleased = false;
    async function* endless() {
      try {
        for (;;) yield { message: "again" };
      } finally {
        isReleased = true;
      }
    }
    for await (const _ of createClient(StreamService, transport).bidirectionalStream(endless())) break;
    await until(() => isReleased);
    await until(() => server.log.find(({ msg, code }) => msg === "call" && code === "canceled"));
    await transport.close();
  }
});

const logger = { info() {}, warn() {} };

// Calls of a client with a logger go through interceptors.
test.each([
  ["Node", {}],
  ["Node, with interceptors", { logger }],
])("who leaves a stream before its answer cancels the call: %s", async (_name, options) => {
  let calls = 0;
  const resets: (number | undefined)[] = [];
  const { url, close } = await listen((stream) => {
    calls += 1;
    stream.on("close", () => resets.push(stream.rstCode));
  });
  const client = createRollcall({ baseUrl: url, ...options });
  const caller = new AbortController();
  const streams: (() => AsyncIterable<unknown>)[] = [
    () => client.streams.query("q"),
    // The caller's own signal stays as it is.
    () => client.streams.query("q", { signal: caller.signal }),
    () => client.streams.chat(),
    () => client.service(StreamService).bidirectionalStream(from([{ message: "Hello" }])),
  ];
  for (const [index, open] of streams.entries()) {
    const reader = ReadableStream.from(open()).getReader();
    const read = reader.read();
    await until(() => calls > index);
    await reader.cancel();
    expect(await read).toMatchObject({ done: true });
    // CANCEL (RFC 9113, 7).
    await until(() => resets.length > index);
    expect(resets.at(-1)).toBe(8);
  }
  expect(getEventListeners(caller.signal, "abort")).toEqual([]);
  await client.close();
  close();
});

test("who leaves a stream before its answer cancels the call: fetch and WebSocket", async () => {
  let open = 0;
  const server = createHttpServer((request) => request.resume());
  const count = (opened: EventEmitter) => {
    open += 1;
    opened.on("close", () => open--);
  };
  server.on("request", (_request, response) => count(response));
  new WebSocketServer({ server, handleProtocols: () => "grpc-websockets" }).on("connection", count);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await using client = createFetchClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const streams: (() => AsyncIterable<unknown>)[] = [() => client.streams.query("q"), () => client.streams.chat()];
  for (const stream of streams) {
    const reader = ReadableStream.from(stream()).getReader();
    const read = reader.read();
    await until(() => open === 1);
    await reader.cancel();
    expect(await read).toMatchObject({ done: true });
    await until(() => open === 0);
  }
  server.close();
});

/** Starts an HTTP/2 server that answers with bytes. */
async function listen(answer: (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void) {
  const server = createServer();
  const open = new Set<{ destroy(): void }>();
  server.on("session", (session) => open.add(session));
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => {});
    answer(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      for (const session of open) session.destroy();
      server.close();
    },
  };
}

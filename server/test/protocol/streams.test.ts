/** Streams over HTTP/2, on either carrier, are as fast as both ends, and never run ahead of the slower one. */
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { type ProbeHandlers, withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { afterEach, describe, expect, test } from "vitest";

const MIB = 1024 ** 2;
const sessions: ClientHttp2Session[] = [];

afterEach(() => {
  for (const session of sessions.splice(0)) session.destroy();
});

function message(value: string): Buffer {
  return Buffer.from(encodeEnvelope(0, toBinary(StringValueSchema, create(StringValueSchema, { value }))));
}

interface Client {
  open(method: string): ClientHttp2Stream;
  /** Resolves when the server has answered another call: by then it has done everything that needs no wait. */
  roundTrips(): Promise<void>;
}

async function connect(server: TestServer): Promise<Client> {
  const session = http2.connect(server.url);
  sessions.push(session);
  const headers = { "content-type": "application/grpc", te: "trailers", ...(await server.auth()) };
  const open = (method: string) =>
    session.request({ ":method": "POST", ":path": `/probe.v1.ProbeService/${method}`, ...headers });
  return {
    open,
    async roundTrips() {
      for (let i = 0; i < 5; i++) {
        const call = open("Unary");
        call.end(message("x"));
        expect((await answer(call)).status).toBe("0");
      }
    },
  };
}

interface Answer {
  readonly status: unknown;
  readonly bytes: Buffer;
}

function answer(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let status: unknown;
    stream.on("response", (headers) => {
      status = headers["grpc-status"];
    });
    stream.on("trailers", (trailers) => {
      status = trailers["grpc-status"];
    });
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("error", reject);
    stream.on("close", () => resolve({ status, bytes: Buffer.concat(parts) }));
  });
}

const unary: ProbeHandlers = { unary: (request) => request };

describe.each(["direct", "stock"] as const)("the %s carrier", (rpcEngine) => {
  const start = (handlers: ProbeHandlers) => startServer({ rpcEngine, ...withProbe({ ...unary, ...handlers }) });

  test("holds no message back while the handler waits for the next", async () => {
    const { promise: goOn, resolve: release } = Promise.withResolvers<void>();
    await using server = await start({
      async *serverStream() {
        yield { value: "one" };
        yield { value: "two" };
        await goOn;
        yield { value: "three" };
      },
    });
    const call = (await connect(server)).open("ServerStream");
    call.end(message("x"));
    let received = Buffer.alloc(0);
    call.on("data", (part: Buffer) => {
      received = Buffer.concat([received, part]);
      if (received.equals(Buffer.concat([message("one"), message("two")]))) release();
    });
    expect((await answer(call)).bytes).toEqual(Buffer.concat(["one", "two", "three"].map(message)));
  });

  test("makes no more than its reader takes, and ends the handler when the reader goes", async () => {
    let made = 0;
    let ended = "";
    let isAborted = false;
    await using server = await start({
      async *serverStream(_request, { signal }) {
        signal.addEventListener("abort", () => {
          isAborted = true;
        });
        try {
          for (;;) {
            made += 1;
            yield { value: "x".repeat(10_000) };
          }
        } finally {
          ended = "finally";
        }
      },
    });
    const client = await connect(server);
    const call = client.open("ServerStream");
    call.on("error", () => {});
    call.end(message("x"));
    await until(() => made > 0);
    await client.roundTrips();
    const madeUnread = made;
    expect(madeUnread * 10_000).toBeLessThan(MIB);
    await client.roundTrips();
    expect(made).toBe(madeUnread);
    call.resume();
    await until(() => made > madeUnread + 100);
    call.close(http2.constants.NGHTTP2_CANCEL);
    await until(() => ended === "finally" && isAborted);
    const line = await until(() =>
      server.log.find(({ msg, method }) => msg === "call" && String(method).endsWith("ServerStream")),
    );
    expect(line).toMatchObject({ code: "canceled" });
  });

  test("takes no more of an upload than its handler reads", async () => {
    const { promise: goOn, resolve: release } = Promise.withResolvers<void>();
    let bytes = 0;
    await using server = await start({
      async clientStream(requests) {
        await goOn;
        for await (const { value } of requests) bytes += value.length;
        return { value: String(bytes) };
      },
    });
    const client = await connect(server);
    const call = client.open("ClientStream");
    for (let i = 0; i < 80; i++) call.write(message("x".repeat(100_000)));
    call.end();
    await client.roundTrips();
    // The rest waits in the client.
    expect(call.bufferSize).toBeGreaterThan(6 * MIB);
    release();
    const { status, bytes: receipt } = await answer(call);
    expect({ status, bytes }).toEqual({ status: "0", bytes: 8_000_000 });
    expect(receipt).toEqual(message("8000000"));
  });

  test("gives several who ask at once their messages in order", async () => {
    await using server = await start({
      async clientStream(requests) {
        const iterator = requests[Symbol.asyncIterator]();
        const results = await Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()]);
        return { value: results.map(({ done, value }) => (done ? "end" : value.value)).join() };
      },
    });
    const call = (await connect(server)).open("ClientStream");
    call.write(Buffer.concat([message("a"), message("b")]));
    call.end(message("c"));
    expect((await answer(call)).bytes).toEqual(message("a,b,c,end"));
  });

  test("answers an upload of which the handler has read enough, and lets go of the rest", async () => {
    await using server = await start({
      async clientStream(requests) {
        for await (const { value } of requests) if (value === "enough") break;
        return { value: "thanks" };
      },
    });
    const call = (await connect(server)).open("ClientStream");
    for (let i = 0; i < 100; i++) call.write(message("x".repeat(1_000)));
    call.write(message("enough"));
    call.write(message("x".repeat(200_000)));
    const { status, bytes } = await answer(call);
    expect({ status, bytes }).toEqual({ status: "0", bytes: message("thanks") });
    expect(call.rstCode).toBe(http2.constants.NGHTTP2_NO_ERROR);
  });

  test("ends the requests of a handler that reads on after its answer", async () => {
    let readOn: Promise<unknown> | undefined;
    await using server = await start({
      async *bidiStream(requests) {
        readOn = requests[Symbol.asyncIterator]()
          .next()
          .then(
            () => "read",
            () => "failed",
          );
        yield { value: "bye" };
      },
    });
    const call = (await connect(server)).open("BidiStream");
    expect((await answer(call)).bytes).toEqual(message("bye"));
    expect(await readOn).toBe("failed");
  });

  test("answers others while streams have endless work", async () => {
    let isOver = false;
    // Stock Connect fills a window before it answers others. With messages of one byte, that takes half a second.
    const value = "x".repeat(rpcEngine === "stock" ? 100 : 1);
    await using server = await start({
      async *bidiStream(requests) {
        for await (const _ of requests) while (!isOver) yield { value };
      },
    });
    const client = await connect(server);
    const calls = Array.from({ length: 4 }, () => {
      const call = client.open("BidiStream");
      call.end(message("x"));
      return answer(call);
    });
    await client.roundTrips();
    isOver = true;
    for (const { status } of await Promise.all(calls)) expect(status).toBe("0");
  });

  test("inflates and deflates messages of streams, each as it is flagged", async () => {
    const { gzipSync, gunzipSync } = await import("node:zlib");
    await using server = await start({
      async *bidiStream(requests) {
        for await (const { value } of requests) yield { value };
      },
    });
    const session = http2.connect(server.url);
    sessions.push(session);
    const call = session.request({
      ":method": "POST",
      ":path": "/probe.v1.ProbeService/BidiStream",
      "content-type": "application/grpc",
      te: "trailers",
      "grpc-encoding": "gzip",
      "grpc-accept-encoding": "gzip",
      ...(await server.auth()),
    });
    const values = ["small", "long ".repeat(1_000), "again", "longer ".repeat(40_000), "end"];
    for (const [index, value] of values.entries()) {
      const bytes = message(value);
      call.write(index % 2 === 0 ? bytes : Buffer.from(encodeEnvelope(1, gzipSync(bytes.subarray(5)))));
    }
    call.end();
    const { status, bytes } = await answer(call);
    expect(status).toBe("0");
    let rest = bytes;
    for (const value of values) {
      const size = rest.readUInt32BE(1);
      const sent = rest.subarray(5, 5 + size);
      expect(rest[0]).toBe(value.length > 1_000 ? 1 : 0);
      expect(Buffer.from(rest[0] ? gunzipSync(sent) : sent)).toEqual(message(value).subarray(5));
      rest = rest.subarray(5 + size);
    }
    expect(rest.length).toBe(0);
  });
});

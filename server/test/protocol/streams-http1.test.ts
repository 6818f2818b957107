/** Streams over HTTP/1.1, on either carrier, are as fast as both ends, and never run ahead of the slower one. */
import { once } from "node:events";
import http, { Agent, type ClientRequest, type IncomingMessage } from "node:http";
import { create, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { type ProbeHandlers, withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { afterEach, describe, expect, test } from "vitest";

const MIB = 1024 ** 2;
const agents: Agent[] = [];

afterEach(() => {
  for (const agent of agents.splice(0)) agent.destroy();
});

function message(value: string): Buffer {
  return Buffer.from(encodeEnvelope(0, toBinary(StringValueSchema, create(StringValueSchema, { value }))));
}

interface Call {
  readonly request: ClientRequest;
  readonly response: Promise<IncomingMessage>;
}

interface Client {
  open(method: string, headers?: Record<string, string>): Call;
  /** Resolves when the server has answered other calls: by then it has done everything that needs no wait. */
  roundTrips(): Promise<void>;
}

/** Connects a client whose calls share one connection, unless they are concurrent. */
async function connect(server: TestServer, contentType = "application/grpc-web+proto"): Promise<Client> {
  const agent = new Agent({ keepAlive: true });
  agents.push(agent);
  const auth = await server.auth();
  const open = (method: string, headers = {}) => {
    const request = http.request(`${server.url}/probe.v1.ProbeService/${method}`, {
      ...{ agent, method: "POST", headers: { "content-type": contentType, ...auth, ...headers } },
    });
    const response = once(request, "response").then(([answer]) => answer as IncomingMessage);
    response.catch(() => {});
    return { request, response };
  };
  return {
    open,
    async roundTrips() {
      for (let i = 0; i < 5; i++) {
        const { request, response } = open("Unary");
        request.end(message("x"));
        await bodyOf(await response);
      }
    },
  };
}

async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await response.toArray());
}

const END = Buffer.concat([Buffer.from([0x80, 0, 0, 0, 16]), Buffer.from("grpc-status: 0\r\n")]);
const unary: ProbeHandlers = { unary: (request) => request };

function callLine({ log }: TestServer, method: string) {
  return until(() => log.find((line) => line.msg === "call" && String(line.method).endsWith(method)));
}

describe.each(["direct", "stock"] as const)("the %s carrier", (rpcEngine) => {
  const start = (handlers: ProbeHandlers, options = {}) =>
    startServer({ rpcEngine, ...options, ...withProbe({ ...unary, ...handlers }) });

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
    const { request, response } = (await connect(server)).open("ServerStream");
    request.end(message("x"));
    let received = Buffer.alloc(0);
    const answer = await response;
    answer.on("data", (part: Buffer) => {
      received = Buffer.concat([received, part]);
      if (received.equals(Buffer.concat([message("one"), message("two")]))) release();
    });
    await once(answer, "end");
    expect(received).toEqual(Buffer.concat([...["one", "two", "three"].map(message), END]));
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
            yield { value: "x".repeat(100_000) };
          }
        } finally {
          ended = "finally";
        }
      },
    });
    const client = await connect(server);
    const { request, response } = client.open("ServerStream");
    request.end(message("x"));
    const answer = await response;
    // Unread bytes wait in both kernels' buffers, which hold a few MiB.
    let madeUnread = 0;
    for (;;) {
      await client.roundTrips();
      if (made === madeUnread) break;
      madeUnread = made;
    }
    expect(madeUnread * 100_000).toBeLessThan(64 * MIB);
    answer.resume();
    await until(() => made > madeUnread + 100);
    request.destroy();
    await until(() => ended === "finally" && isAborted);
    expect(await callLine(server, "ServerStream")).toMatchObject({ code: "canceled" });
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
    const { request, response } = client.open("ClientStream");
    const chunk = message("x".repeat(100_000));
    for (let i = 0; i < 640; i++) request.write(chunk);
    request.end();
    await client.roundTrips();
    // The rest waits in the client and in both kernels' buffers.
    expect(request.writableLength).toBeGreaterThan(20 * MIB);
    release();
    expect(await bodyOf(await response)).toEqual(Buffer.concat([message("64000000"), END]));
  });

  test("answers while its client has more to send, and reads the connection's next request", async () => {
    await using server = await start({
      async clientStream(requests) {
        for await (const { value } of requests) if (value === "enough") break;
        return { value: "thanks" };
      },
    });
    const client = await connect(server);
    const { request, response } = client.open("ClientStream");
    request.write(message("enough"));
    const answer = await response;
    request.end(message("x".repeat(100_000)));
    expect(await bodyOf(answer)).toEqual(Buffer.concat([message("thanks"), END]));
    const { socket } = request;
    const next = client.open("Unary");
    next.request.end(message("x"));
    await bodyOf(await next.response);
    expect(next.request.reusedSocket).toBe(true);
    expect(next.request.socket).toBe(socket);
  });

  test.each(["ServerStream", "ClientStream"])(
    "cancels a %s whose client goes before its request is whole",
    async (method) => {
      let started = false;
      await using server = await start({
        async clientStream(requests) {
          started = true;
          await Array.fromAsync(requests);
          return {};
        },
      });
      const { request } = (await connect(server)).open(method, { expect: "100-continue" });
      request.on("error", () => {});
      request.flushHeaders();
      await once(request, "continue");
      request.write(message("x").subarray(0, 3));
      if (method === "ClientStream") await until(() => started);
      request.destroy();
      expect(await callLine(server, method)).toMatchObject({ code: "canceled" });
    },
  );

  test("ends a stream at its client's deadline, with the status in gRPC's trailers", async () => {
    await using server = await start({
      async *serverStream(_request, { signal }) {
        yield { value: "one" };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    const client = await connect(server, "application/grpc");
    let body: Buffer = Buffer.alloc(0);
    // On a busy machine the deadline can be over before the handler has begun. Then the call is made with more time.
    for (let timeoutMs = 200; body.length === 0; timeoutMs *= 2) {
      const { request, response } = client.open("ServerStream", { "grpc-timeout": `${timeoutMs}m`, te: "trailers" });
      request.end(message("x"));
      const answer = await response;
      body = await bodyOf(answer);
      expect(answer.trailers["grpc-status"]).toBe("4");
    }
    expect(body).toEqual(message("one"));
  });

  test("refuses a bidi stream, which HTTP/1.1 can't carry, and closes the connection", async () => {
    await using server = await start({});
    const { request, response } = (await connect(server)).open("BidiStream");
    request.end(message("x"));
    const { statusCode, headers } = await response;
    expect([statusCode, headers.connection]).toEqual([505, "close"]);
  });

  test("lets a stream end while the server stops, and then its connection", async () => {
    const { promise: goOn, resolve: release } = Promise.withResolvers<void>();
    const server = await start(
      {
        async *serverStream() {
          yield { value: "one" };
          await goOn;
          yield { value: "two" };
        },
      },
      { shutdownGraceMs: 60_000, limits: { idleBeforeCloseMs: 60_000 } },
    );
    const client = await connect(server);
    const stream = client.open("ServerStream");
    stream.request.end(message("x"));
    const answer = await stream.response;
    const warm = client.open("Unary");
    warm.request.end(message("x"));
    await bodyOf(await warm.response);
    const closed = server.app.close();
    // A connection that is already open may carry one more request.
    const { request, response } = client.open("Unary");
    request.end(message("x"));
    const last = await response;
    await bodyOf(last);
    expect([last.statusCode, last.headers.connection]).toEqual([200, "close"]);
    release();
    expect(await bodyOf(answer)).toEqual(Buffer.concat([message("one"), message("two"), END]));
    stream.request.destroy();
    for (const agent of agents) agent.destroy();
    await closed;
  });
});

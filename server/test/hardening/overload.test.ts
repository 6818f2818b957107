import { once } from "node:events";
import { Agent } from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { createBrowserTransport } from "@rollcall/client";
import { RetryInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { connectErrorOf, GrpcJsClient } from "@rollcall/testing/grpc-js";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { rawRequest } from "@rollcall/testing/raw/http";
import { frame, postTo, RawHttp2, RST_STREAM, uint32 } from "@rollcall/testing/raw/http2";
import { HALF_CLOSE, openRawSocket } from "@rollcall/testing/raw/web-socket";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";

const UNARY = "/probe.v1.ProbeService/Unary";
const refused = { code: Code.Unavailable, rawMessage: "server is overloaded" };

interface FullServer extends AsyncDisposable {
  readonly server: TestServer;
  /** Lets the calls that fill the server finish. */
  release(): void;
}

/** A server whose places for calls and streams are all taken, each by a connection of its own. */
async function startFullServer(maxCalls = 2): Promise<FullServer> {
  const released = Promise.withResolvers<void>();
  let running = 0;
  const server = await startServer({
    maxCalls,
    admission: { maxStreams: 1 },
    corsOrigins: ["https://page.example"],
    ...withProbe({
      async unary({ value }) {
        running += 1;
        if (value === "hold") await released.promise;
        return { value };
      },
      async *bidiStream() {
        running += 1;
        await released.promise;
        yield { value: "end" };
      },
    }),
  });
  const { authorization } = await server.auth();
  const hold = (path: string, contentType: string, body: string) => {
    const session = http2.connect(server.url);
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": contentType, authorization });
    stream.on("error", () => {});
    stream.end(body);
    stream.resume().on("close", () => session.close());
  };
  for (let i = 0; i < maxCalls; i++) hold(UNARY, "application/json", '"hold"');
  hold("/probe.v1.ProbeService/BidiStream", "application/connect+json", "");
  await until(() => running === maxCalls + 1);
  return {
    server,
    release: released.resolve,
    async [Symbol.asyncDispose]() {
      released.resolve();
      await server.app.close();
    },
  };
}

describe("a server that is full refuses", () => {
  const transports = {
    "gRPC over h2c": (baseUrl: string) => createGrpcTransport({ baseUrl }),
    "gRPC-Web over HTTP/2": (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
    "gRPC-Web over HTTP/1.1": (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
    "Connect over HTTP/2": (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "2" }),
    "Connect over HTTP/1.1": (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
    "Connect by GET": (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1", useHttpGet: true }),
  };
  test.each(Object.entries(transports))("calls and streams, by %s", async (_name, createTransport) => {
    await using full = await startFullServer();
    const client = createClient(ProbeService, createTransport(full.server.url));
    // It is refused without a glance at the token.
    const calls = [
      client.unary({ value: "x" }),
      Array.fromAsync(client.serverStream({ value: "x" })),
      client.clientStream(
        (async function* () {
          yield { value: "x" };
        })(),
      ),
    ].map((call) => call.then(() => undefined, ConnectError.from));
    for (const call of calls) {
      const error = await call;
      expect(error).toMatchObject(refused);
      expect(error?.findDetails(RetryInfoSchema)).toMatchObject([{ retryDelay: { seconds: 1n } }]);
    }
    expect(full.server.log.filter(({ msg }) => msg === "call" || msg === "token not accepted")).toEqual([]);
  });

  test("calls and streams, by grpc-js, and says when to come back", async () => {
    await using full = await startFullServer();
    using client = new GrpcJsClient(full.server.port, new Metadata(), undefined, { "grpc.enable_retries": 0 });
    const error = await client.unary(ProbeService.method.unary, { value: "x" }).catch((e: ServiceError) => e);
    expect(error).toMatchObject({ code: Code.Unavailable, details: "server is overloaded" });
    expect((error as ServiceError).metadata.get("grpc-retry-pushback-ms")).toEqual(["1000"]);
    expect(connectErrorOf(error as ServiceError)?.findDetails(RetryInfoSchema)).toHaveLength(1);
    const stream = client.serverStream(ProbeService.method.serverStream, { value: "x" });
    stream.on("data", () => {});
    const [streamError] = await once(stream, "error");
    expect(streamError).toMatchObject({ code: Code.Unavailable });
  });

  test("calls by WebSocket", async () => {
    await using full = await startFullServer();
    const transport = createBrowserTransport({
      baseUrl: full.server.url,
      webSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    } as Parameters<typeof createBrowserTransport>[0]);
    const client = createClient(ProbeService, transport);
    const headers = await full.server.auth();
    const messages = (async function* () {
      yield { value: "x" };
    })();
    const error = await client.clientStream(messages, { headers }).catch(ConnectError.from);
    expect(error).toMatchObject(refused);
  });

  test("plain JSON with what HTTP has for it, and keeps the connection", async () => {
    await using full = await startFullServer();
    const headers = { "content-type": "application/json", "x-request-id": "mine", origin: "https://page.example" };
    const agent = new Agent({ keepAlive: true });
    const answer = await rawRequest("POST", full.server.url + UNARY, headers, '"x"', agent);
    expect(answer.status).toBe(503);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "retry-after": "1",
      "x-request-id": "mine",
      "access-control-allow-origin": "https://page.example",
    });
    expect(answer.headers.get("connection")).toBe("keep-alive");
    agent.destroy();
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      code: "unavailable",
      message: "server is overloaded",
      details: [{ type: "google.rpc.RetryInfo" }],
    });
    const [detail] = JSON.parse(answer.body.toString()).details;
    expect(fromBinary(RetryInfoSchema, Buffer.from(detail.value, "base64")).retryDelay?.seconds).toBe(1n);
  });

  test.each([
    ["in other spellings", (url: string) => `${url.replace("Unary", "%55nary")}`],
    ["with a query", (url: string) => `${url}?x=1`],
    ["with a fragment", (url: string) => `${url}#x`],
    ["as a whole URL", (url: string) => `http://a${url}`],
  ])("a path %s", async (_name, spell) => {
    await using full = await startFullServer();
    const socket = net.connect(full.server.port, "127.0.0.1");
    socket.write(
      `POST ${spell(UNARY)} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n` +
        'content-length: 3\r\n\r\n"x"',
    );
    let text = "";
    for await (const chunk of socket) text += chunk;
    expect(text).toMatch(/^HTTP\/1\.1 503/);
  });

  test("nothing that is no call, and everything again once there is room", async () => {
    await using full = await startFullServer();
    const { server } = full;
    for (const path of ["/healthz", "/readyz"]) expect((await fetch(server.url + path)).status).toBe(200);
    const preflight = await fetch(server.url + UNARY, {
      method: "OPTIONS",
      headers: { origin: "https://page.example", "access-control-request-method": "POST" },
    });
    expect(preflight.status).toBe(204);
    const client = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
    const headers = await server.auth();
    await expect(client.unary({ value: "x" }, { headers })).rejects.toMatchObject(refused);
    full.release();
    await until(() => server.log.filter(({ msg }) => msg === "call").length === 3);
    expect((await client.unary({ value: "x" }, { headers })).value).toBe("x");
  });

  test("with one line in the log for all of a second", async () => {
    await using full = await startFullServer();
    const { server } = full;
    const headers = { "content-type": "application/json" };
    await Promise.all(Array.from({ length: 20 }, () => rawRequest("POST", server.url + UNARY, headers, '"x"')));
    const lines = await until(() => {
      const found = server.log.filter(({ msg }) => msg === "calls refused");
      return found.reduce((sum, { overloaded }) => sum + Number(overloaded), 0) === 20 && found;
    });
    expect(lines.length).toBeLessThan(20);
    expect(lines[0]).toMatchObject({ level: "warn", calls: 2, streams: 1 });
  });
});

test("a connection has a quarter of the places, and others have theirs", async () => {
  const released = Promise.withResolvers<void>();
  let running = 0;
  await using server = await startServer({
    maxCalls: 8,
    ...withProbe({
      async unary({ value }) {
        running += 1;
        if (value === "hold") await released.promise;
        return { value };
      },
    }),
  });
  const headers = await server.auth();
  const greedy = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
  const held = Array.from({ length: 10 }, () => greedy.unary({ value: "hold" }, { headers }).catch(ConnectError.from));
  await until(() => running === 2);
  const other = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
  expect((await other.unary({ value: "x" }, { headers })).value).toBe("x");
  released.resolve();
  const outcomes = await Promise.all(held);
  expect(outcomes.filter((outcome) => outcome instanceof ConnectError)).toHaveLength(8);
});

test("streams that have begun to answer keep their places", async () => {
  const ended = Promise.withResolvers<void>();
  await using server = await startServer({
    maxCalls: 1,
    ...withProbe({
      async *serverStream({ value }) {
        yield { value };
        await ended.promise;
      },
    }),
  });
  const headers = await server.auth();
  // A connection may have a quarter of the sixteen.
  const open = () => {
    const streams = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
    return streams.serverStream({ value: "x" }, { headers })[Symbol.asyncIterator]();
  };
  const begun = Array.from({ length: 16 }, open);
  for (const stream of begun) expect((await stream.next()).value?.value).toBe("x");
  for (let i = 0; i < 3; i++) {
    const error = ConnectError.from(
      await open()
        .next()
        .catch((reason: unknown) => reason),
    );
    expect(error.rawMessage).toBe("server is overloaded");
  }
  ended.resolve();
  for (const stream of begun) expect((await stream.next()).done).toBe(true);
});

test("calls whose answers nobody reads keep nobody out", async () => {
  let answered = 0;
  await using server = await startServer({
    maxCalls: 8,
    ...withProbe({
      unary: ({ value }) => {
        answered += 1;
        return { value: value.repeat(1_000_000) };
      },
    }),
  });
  const { authorization } = await server.auth();
  const sessions = Array.from({ length: 8 }, () => http2.connect(server.url, { settings: { initialWindowSize: 0 } }));
  for (const session of sessions) {
    session.on("error", () => {});
    const unread = session.request({
      ":method": "POST",
      ":path": UNARY,
      "content-type": "application/json",
      authorization,
    });
    unread.on("error", () => {}).end('"x"');
  }
  await until(() => answered === 8);
  const client = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
  const call = () => client.unary({ value: "" }, { headers: { authorization } }).catch(ConnectError.from);
  while ((await call()) instanceof ConnectError);
  for (const session of sessions) session.destroy();
});

test("calls by WebSocket whose answers nobody reads keep nobody out", { timeout: 30_000 }, async () => {
  let answered = 0;
  await using server = await startServer({
    maxCalls: 4,
    // Nothing but the place is to be given up.
    limits: { maxConnectionBytes: 1e12, maxHeldBytes: 1e12 },
    ...withProbe({
      unary: ({ value }) => {
        answered += 1;
        // More than the network's buffers take.
        return { value: value.repeat(12_000_000) };
      },
    }),
  });
  const { authorization } = await server.auth();
  const block = `content-type: application/grpc-web+json\r\nauthorization: ${authorization}\r\n`;
  const sockets = await Promise.all(Array.from({ length: 4 }, () => openRawSocket(server, block, UNARY)));
  for (const { socket, send } of sockets) {
    socket.pause();
    send(Buffer.concat([Buffer.of(0, 0, 0, 0, 0, 3), Buffer.from('"x"')]));
    send(HALF_CLOSE);
  }
  await until(() => answered === 4);
  const client = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
  const call = () => client.unary({ value: "" }, { headers: { authorization } }).catch(ConnectError.from);
  while ((await call()) instanceof ConnectError);
  // They have not been read, nor cut.
  expect(server.log.filter(({ msg }) => msg === "call").length).toBeLessThanOrEqual(1);
  for (const { socket } of sockets) socket.destroy();
});

test("refusals that nobody reads count as what their connection holds", { timeout: 30_000 }, async () => {
  /** How many of the calls were answered on a connection that reads no bodies, before one was reset instead. */
  const flood = async (maxConnectionBytes: number) => {
    await using server = await startServer({ maxCalls: 0, limits: { maxConnectionBytes } });
    const client = await RawHttp2.open(server.port, { initialWindowBytes: 0 });
    const isReset = () => client.received.some(({ type }) => type === RST_STREAM);
    let calls = 0;
    for (; calls < 100 && !isReset(); calls++) {
      const streamId = client.request(postTo("/user.v1.UserService/GetUser"), 1);
      await until(() => client.received.some((received) => received.streamId === streamId));
      // A look at what is held comes every half second.
      if (calls % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 600));
    }
    client.destroy();
    return calls;
  };
  // Each counts 16 KiB.
  expect(await flood(512 * 1_024)).toBeLessThan(80);
  expect(await flood(1e12)).toBe(100);
});

test("a refused call that its client resets with an error leaves the server as it is", async () => {
  await using server = await startServer({ maxCalls: 0 });
  const client = await RawHttp2.open(server.port, { initialWindowBytes: 0 });
  const streamId = client.request(postTo("/user.v1.UserService/GetUser"));
  await client.next((received) => received.streamId === streamId);
  client.send(frame(RST_STREAM, 0, streamId, uint32(2)));
  // Answered behind it. An error that nobody takes would end this process.
  const probe = client.request({ ":method": "GET", ":scheme": "http", ":path": "/healthz", ":authority": "a" }, 1);
  await client.next((received) => received.streamId === probe);
  client.destroy();
});

describe("requests whose rest does not come", () => {
  /** Resolves when the requests have arrived: a PING is answered behind what was sent ahead of it. */
  async function fillHalfOpen(server: TestServer, count: number): Promise<http2.ClientHttp2Stream[]> {
    const { authorization } = await server.auth();
    const open = async () => {
      const session = http2.connect(server.url);
      session.on("error", () => {});
      const stream = session.request({
        ":method": "POST",
        ":path": UNARY,
        "content-type": "application/json",
        authorization,
      });
      stream.on("error", () => {});
      await new Promise((resolve) => stream.write('"', resolve));
      await new Promise((resolve) => session.ping(resolve));
      return stream;
    };
    return Promise.all(Array.from({ length: count }, open));
  }

  test.each([
    ["make room when others need it", 200],
    ["keep their places while nobody is patient enough, as a control", 600_000],
  ])("%s", async (_name, patienceMs) => {
    await using server = await startServer({
      maxCalls: 8,
      admission: { patienceMs },
      ...withProbe({ unary: ({ value }) => ({ value }) }),
    });
    const half = await fillHalfOpen(server, 8);
    const client = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
    const headers = await server.auth();
    const call = () =>
      client.unary({ value: "x" }, { headers }).then(
        () => "served",
        (e) => ConnectError.from(e).rawMessage,
      );
    const isRefused = ({ rstCode }: http2.ClientHttp2Stream) => rstCode === http2.constants.NGHTTP2_REFUSED_STREAM;
    if (patienceMs === 200) {
      while (!half.some(isRefused)) await call();
      while ((await call()) !== "served");
    } else {
      for (let i = 0; i < 20; i++) expect(await call()).toBe("server is overloaded");
      expect(half.some(({ closed }) => closed)).toBe(false);
    }
    for (const stream of half) stream.session?.destroy();
  });
});

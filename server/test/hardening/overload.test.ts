import http2 from "node:http2";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { frame, postTo, RawHttp2, RST_STREAM, uint32 } from "@rollcall/testing/raw/http2";
import { begin, body, HALF_CLOSE, openRawSocket } from "@rollcall/testing/raw/web-socket";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { UNARY } from "./support/full-server.ts";

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
  let refusals = 0;
  const held = Array.from({ length: 10 }, () =>
    greedy.unary({ value: "hold" }, { headers }).catch((reason) => {
      refusals += 1;
      return ConnectError.from(reason);
    }),
  );
  await until(() => running === 2 && refusals === 8);
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
  // One connection may have a quarter of the sixteen calls.
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

test.each(["direct", "stock"] as const)("calls that wait for the server keep their places (%s)", async (rpcEngine) => {
  const verified = Promise.withResolvers<void>();
  let asked = 0;
  await using server = await startServer({
    rpcEngine,
    // One connection may have one of the two calls.
    maxCalls: 2,
    // With no patience, nobody waits for a call that itself waits for its client.
    admission: { patienceMs: 0 },
    // The identity provider is slow.
    async auth() {
      asked += 1;
      await verified.promise;
      return { subject: "tester", scopes: new Set(["streams"]), expiresAtMs: Date.now() + 60_000 };
    },
    ...withProbe({ unary: ({ value }) => ({ value }) }),
  });
  const { authorization } = await server.auth();
  const clientOf = () => createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
  const call = clientOf().unary({ value: "x" }, { headers: { authorization } });
  const socket = await begin(server, UNARY, "", {});
  socket.ws.send(body(Buffer.of(0, 0, 0, 0, 3, 0x0a, 1, 0x78)));
  socket.ws.send(HALF_CLOSE);
  await until(() => asked === 2);
  // If this call were let in, it would wait for the provider too.
  const third = clientOf().unary({ value: "x" }, { headers: { authorization }, timeoutMs: 10_000 });
  await expect(third).rejects.toMatchObject({ rawMessage: "server is overloaded" });
  verified.resolve();
  expect((await call).value).toBe("x");
  expect(await socket.closed).toEqual({ code: 1000, status: 0 });
});

test("calls by WebSocket whose answers nobody reads keep nobody out", async () => {
  let answered = 0;
  await using server = await startServer({
    maxCalls: 4,
    // Only the call's place should be given up, so the limits on memory are lifted.
    limits: { maxConnectionBytes: 1e12, maxHeldBytes: 1e12 },
    ...withProbe({
      unary: ({ value }) => {
        answered += 1;
        // The answer is larger than the network's buffers.
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
  // The sockets must not have been cut off.
  const isCut = ({ msg, code }: Record<string, unknown>) =>
    String(msg).startsWith("calls ended") || (msg === "call" && code !== "ok");
  expect(server.log.filter(isCut)).toEqual([]);
  expect(sockets.filter(({ socket }) => socket.closed)).toEqual([]);
  for (const { socket } of sockets) socket.destroy();
});

test("refusals that nobody reads count as what their connection holds", async () => {
  /**
   * Returns the number of calls that were answered, on a connection that reads no bodies, before one was reset instead.
   */
  const flood = async (maxConnectionBytes: number) => {
    await using server = await startServer({ maxCalls: 0, limits: { maxConnectionBytes } });
    const client = await RawHttp2.open(server.port, { initialWindowBytes: 0 });
    const isReset = () => client.received.some(({ type }) => type === RST_STREAM);
    let calls = 0;
    for (; calls < 100 && !isReset(); calls++) {
      const streamId = client.request(postTo("/user.v1.UserService/GetUser"), 1);
      await until(() => client.received.some((received) => received.streamId === streamId));
      // The server checks the held memory every half second.
      if (calls % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 600));
    }
    client.destroy();
    return calls;
  };
  // Each refusal counts 16 KiB.
  const [guarded, open] = await Promise.all([flood(512 * 1_024), flood(1e12)]);
  expect(guarded).toBeLessThan(80);
  expect(open).toBe(100);
});

test("a refused call that its client resets with an error leaves the server as it is", async () => {
  await using server = await startServer({ maxCalls: 0 });
  const client = await RawHttp2.open(server.port, { initialWindowBytes: 0 });
  const streamId = client.request(postTo("/user.v1.UserService/GetUser"));
  await client.next((received) => received.streamId === streamId);
  client.send(frame(RST_STREAM, 0, streamId, uint32(2)));
  // This request is answered after the reset. An unhandled error would end this process.
  const probe = client.request({ ":method": "GET", ":scheme": "http", ":path": "/healthz", ":authority": "a" }, 1);
  await client.next((received) => received.streamId === probe);
  client.destroy();
});

describe("requests whose rest does not come", () => {
  /** Resolves when the requests have arrived: a PING is answered after the frames that were sent before it. */
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

import { EventEmitter, getEventListeners, once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { Code, type ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { RequestNotSentError } from "../src/index.ts";
import { createRollcallClient } from "../src/node/index.ts";
import { freePort } from "./free-port.ts";
import { checkEachForLeaks, watchForLeaks } from "./leaks.ts";

import { startProxy, startSilentServer } from "./proxy.ts";

checkEachForLeaks();

/** A real HTTP/2 server of the contract, whose sessions and answers are the test's. */
async function startBareServer(options: { port?: number; maxConcurrentStreams?: number } = {}) {
  const gate = new EventEmitter();
  let calls = 0;
  let waiting = 0;
  let pings = 0;
  const routes = (router: ConnectRouter) => {
    router.service(UserService, {
      /** Answers at once, but for the id "wait": that waits for the gate. */
      async getUser({ id }) {
        calls += 1;
        if (id === "wait") {
          waiting += 1;
          await once(gate, "open");
          waiting -= 1;
        }
        return { user: { id } };
      },
      async createUser({ email }) {
        calls += 1;
        return { user: { email } };
      },
    });
    router.service(StreamService, {});
  };
  const { maxConcurrentStreams } = options;
  const server = http2.createServer(
    maxConcurrentStreams === undefined ? {} : { settings: { maxConcurrentStreams } },
    connectNodeAdapter({ routes }),
  );
  const sessions = new Set<http2.ServerHttp2Session>();
  /** How many streams each session has had. */
  const streams = new Map<http2.ServerHttp2Session, number>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("stream", () => streams.set(session, (streams.get(session) ?? 0) + 1));
    session.on("ping", () => pings++);
    session.on("error", () => {}).on("close", () => sessions.delete(session));
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  gate.setMaxListeners(0);
  return {
    sessions,
    streams,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get calls() {
      return calls;
    },
    /** PINGs that have arrived; Node answers them. */
    get pings() {
      return pings;
    },
    get waiting() {
      return waiting;
    },
    openGate: () => gate.emit("open"),
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

test("calls are spread over the connections of the pool, those with the fewest first", async () => {
  await using server = await startBareServer();
  await using client = createRollcallClient({ baseUrl: server.url, pool: { size: 3 } });
  const calls: Promise<unknown>[] = [];
  for (let index = 0; index < 12; index++) {
    calls.push(client.getUser("wait"));
    await until(() => server.waiting === index + 1);
    // Connections open as they are needed.
    if (index === 0) expect(server.sessions.size).toBe(1);
    if (index === 4) await until(() => server.sessions.size === 3);
  }
  expect([...server.streams.values()]).toEqual([4, 4, 4]);
  server.openGate();
  await Promise.all(calls);
  expect(server.calls).toBe(12);
});

test("one call after the other needs one connection", async () => {
  await using server = await startBareServer();
  await using client = createRollcallClient({ baseUrl: server.url, pool: { size: 3 } });
  for (let index = 0; index < 20; index++) await client.getUser("1");
  expect(server.sessions.size).toBe(1);
});

test("no connection gets more streams than its server takes; further calls wait in order", async () => {
  await using server = await startBareServer({ maxConcurrentStreams: 2 });
  await using client = createRollcallClient({ baseUrl: server.url, pool: { size: 2 } });
  const calls = Array.from({ length: 10 }, () => client.getUser("wait", { timeoutMs: 20_000 }));
  await until(() => server.waiting === 4);
  const canceled = new AbortController();
  const impatient = client.getUser("wait", { signal: canceled.signal });
  canceled.abort();
  await expect(impatient).rejects.toMatchObject({ code: Code.Canceled });
  expect(getEventListeners(canceled.signal, "abort")).toHaveLength(0);
  const gates = setInterval(server.openGate, 5);
  await Promise.all(calls);
  clearInterval(gates);
  expect(server.calls).toBe(10);
});

test("a GOAWAY on an idle connection is no error, and the next call gets a new connection", async () => {
  await using server = await startBareServer();
  await using client = createRollcallClient({ baseUrl: server.url, retry: false, pool: { size: 1 } });
  for (const code of [http2.constants.NGHTTP2_NO_ERROR, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM]) {
    await client.getUser("1");
    const [session] = server.sessions;
    session?.goaway(code);
    session?.close();
    await until(() => !server.sessions.has(session as http2.ServerHttp2Session));
    await client.getUser("1");
    expect(server.sessions.size).toBe(1);
  }
});

test("a GOAWAY on a busy connection lets its calls finish, and moves those that it refuses", async () => {
  await using server = await startBareServer();
  await using client = createRollcallClient({ baseUrl: server.url, retry: false, pool: { size: 1 } });
  const slow = client.getUser("wait");
  await until(() => server.waiting === 1);
  const [session] = server.sessions;
  // Says that only the first stream, number 1, is being processed, when the second has arrived.
  session?.once("stream", (stream: http2.ServerHttp2Stream) => {
    session.goaway(http2.constants.NGHTTP2_NO_ERROR, 1);
    stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  });
  // No request id, no retry: only a request that never left may go again.
  const { user } = await client.users.createUser({ email: "ada@example.com", name: "Ada" });
  expect(user?.email).toBe("ada@example.com");
  server.openGate();
  await slow;
  await until(() => server.sessions.size === 1);
});

test("a connection on which the server asks for calm takes no more calls", async () => {
  await using server = await startBareServer();
  await using client = createRollcallClient({ baseUrl: server.url, retry: false, pool: { size: 1 } });
  const slow = client.getUser("wait");
  await until(() => server.waiting === 1);
  const [session] = server.sessions;
  session?.once("stream", (stream: http2.ServerHttp2Stream) => {
    stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });
  await expect(client.getUser("1")).rejects.toMatchObject({ code: Code.ResourceExhausted });
  await client.getUser("1");
  expect([...server.streams.values()]).toEqual([2, 1]);
  // What was under way finishes.
  server.openGate();
  await slow;
  await until(() => server.sessions.size === 1);
});

test("a GOAWAY with an error ends the calls it names, and moves those after them", async () => {
  await using server = await startBareServer();
  await using client = createRollcallClient({ baseUrl: server.url, retry: false, pool: { size: 1 } });
  const first = client.getUser("wait");
  first.catch(() => {});
  await until(() => server.waiting === 1);
  const [session] = server.sessions;
  session?.once("stream", () => {
    session.goaway(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM, 1);
  });
  const { user } = await client.users.createUser({ email: "ada@example.com", name: "Ada" });
  expect(user?.email).toBe("ada@example.com");
  await expect(first).rejects.toMatchObject({ code: Code.Unavailable });
});

test("over HTTP/1.1 too, a dead address fails no call, calls share few connections, and close drains", async () => {
  await using server = await startServer({ auth: false, streams: { resultIntervalMs: 20 } });
  await using proxy = await startProxy(server.port);
  const leaks = watchForLeaks();
  const client = createRollcallClient({
    baseUrl: [`http://127.0.0.1:${await freePort()}`, proxy.url],
    protocol: "connect",
    httpVersion: "1.1",
    retry: false,
    pool: { size: 2 },
  });
  const calls = Array.from({ length: 20 }, () => client.listUsers({}, { timeoutMs: 20_000 }));
  await Promise.all(calls);
  expect(proxy.acceptedCount).toBeLessThanOrEqual(2);
  const results = Array.fromAsync(client.query("q"));
  await until(() => server.log.length > 0);
  const closed = [client.close(), client.close()];
  expect(await results).toHaveLength(10);
  await Promise.all(closed);
  await expect(client.listUsers()).rejects.toMatchObject({ code: Code.Canceled });
  await until(() => proxy.openCount === 0);
  await leaks.assertNone();
});

test("over HTTP/1.1 too, a body of any size goes whole to the address that works", async () => {
  await using server = await startServer({ auth: false });
  const dead = `http://127.0.0.1:${await freePort()}`;
  // More than is kept of a body.
  const size = 1024 ** 2;
  for (const address of [
    [dead, server.url],
    [server.url, dead],
  ]) {
    await using client = createRollcallClient({
      baseUrl: address,
      protocol: "connect",
      httpVersion: "1.1",
      retry: false,
    });
    const receipt = await client.uploadFile(new Blob([new Uint8Array(size)]));
    expect(receipt.totalBytes).toBe(size);
  }
});

test("over HTTP/1.1 too, a connection that is lost under a call is unavailable", async () => {
  await using server = await startServer({ auth: false, streams: { resultIntervalMs: 20, resultCount: 1_000 } });
  await using proxy = await startProxy(server.port);
  await using client = createRollcallClient({ baseUrl: proxy.url, protocol: "connect", httpVersion: "1.1" });
  let count = 0;
  const reading = (async () => {
    for await (const _ of client.query("q")) count += 1;
  })();
  await until(() => count > 2);
  proxy.reset();
  await expect(reading).rejects.toMatchObject({ code: Code.Unavailable });
  await client.listUsers();
});

test("a connection that is lost under a call is unavailable, and only what is safe is repeated", async () => {
  await using server = await startBareServer();
  await using plain = createRollcallClient({ baseUrl: server.url, retry: false });
  const lost = plain.getUser("wait");
  await until(() => server.waiting === 1);
  for (const session of server.sessions) session.destroy();
  await expect(lost).rejects.toMatchObject({ code: Code.Unavailable });

  await using client = createRollcallClient({ baseUrl: server.url, retry: { initialDelayMs: 1 } });
  const calls = server.calls;
  const repeated = client.getUser("wait");
  await until(() => server.calls === calls + 1);
  for (const session of server.sessions) session.socket.resetAndDestroy();
  await until(() => server.calls === calls + 2);
  server.openGate();
  await repeated;
});

test("a server that restarts is found again", async () => {
  const first = await startServer({ shutdownGraceMs: 0 });
  await using client = createRollcallClient({
    baseUrl: `http://127.0.0.1:${first.port}`,
    retry: { initialDelayMs: 50, maxAttempts: 50, backoff: "linear", budget: { maxTokens: 1_000 } },
    timeoutMs: 20_000,
  });
  await expect(client.getUser("1")).rejects.toMatchObject({ code: Code.Unauthenticated });
  await first.app.close();
  const call = client.getUser("1");
  await using _second = await startServer({ port: first.port });
  await expect(call).rejects.toMatchObject({ code: Code.Unauthenticated });
});

test("with one of two addresses dead, no call fails; when it is back, it is used again", async () => {
  await using alive = await startBareServer();
  const port = await freePort();
  await using client = createRollcallClient({
    baseUrl: [`http://127.0.0.1:${port}`, alive.url],
    retry: false,
    pool: { size: 1 },
  });
  for (let index = 0; index < 20; index++) await client.getUser("1");
  expect(alive.calls).toBe(20);

  await using back = await startBareServer({ port });
  await until(() => {
    void client.getUser("1");
    return back.calls > 0;
  });
  await alive[Symbol.asyncDispose]();
  await until(() => alive.sessions.size === 0);
  const calls = back.calls;
  await client.getUser("1");
  expect(back.calls).toBeGreaterThan(calls);
});

test("with all addresses dead, a call says so and was never sent", async () => {
  const ports = [await freePort(), await freePort()];
  const address = ports.map((port) => `http://127.0.0.1:${port}`);
  await using client = createRollcallClient({ baseUrl: address, pool: { waitTimeoutMs: 0 } });
  const error = await client.deleteUser("1").catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: Code.Unavailable });
  expect((error as ConnectError).rawMessage).toContain("ECONNREFUSED");
  expect((error as ConnectError).cause).toBeInstanceOf(RequestNotSentError);
});

for (const scheme of ["http", "https"]) {
  for (const wire of [{ protocol: "grpc" }, { protocol: "connect", httpVersion: "1.1" }] as const) {
    if (scheme === "http" && wire.protocol === "connect") continue;
    test(`a server that never answers the handshake ends by the connect timeout: ${scheme}, ${wire.protocol}`, async () => {
      await using silent = await startSilentServer();
      const leaks = watchForLeaks();
      const client = createRollcallClient({
        baseUrl: silent.url.replace("http", scheme),
        retry: false,
        timeoutMs: 20_000,
        pool: { connectTimeoutMs: 100, waitTimeoutMs: 0 },
        ...wire,
      });
      const error = await client.getUser("1").catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: expect.stringMatching(/within 100 ms/) });
      expect((error as ConnectError).cause).toBeInstanceOf(RequestNotSentError);
      await client.close();
      await until(() => silent.openCount === 0);
      await leaks.assertNone();
    });
  }
}

for (const scheme of ["http", "https"]) {
  test(`close gives up a connection that is still opening: ${scheme}`, async () => {
    await using silent = await startSilentServer();
    const leaks = watchForLeaks();
    const client = createRollcallClient({
      baseUrl: silent.url.replace("http", scheme),
      retry: false,
      timeoutMs: 20_000,
      // Longer than the test may last.
      pool: { connectTimeoutMs: 600_000, closeTimeoutMs: 600_000 },
    });
    const controller = new AbortController();
    const canceled = client.getUser("1", { signal: controller.signal });
    const waiting = client.getUser("1").catch((reason: unknown) => reason);
    await until(() => silent.openCount === 1);
    controller.abort();
    await expect(canceled).rejects.toMatchObject({ code: Code.Canceled });
    await client.close();
    expect(await waiting).toMatchObject({ code: Code.Canceled });
    await until(() => silent.openCount === 0);
    await leaks.assertNone();
  });
}

test("a PING that is not answered ends the connection and its calls", async () => {
  await using server = await startBareServer();
  let isFrozen = false;
  await using proxy = await startProxy(Number(new URL(server.url).port), {
    onRequestBytes: (bytes) => (isFrozen ? undefined : bytes),
  });
  await using client = createRollcallClient({
    baseUrl: proxy.url,
    retry: false,
    timeoutMs: 25_000,
    pool: { pingIntervalMs: 20, pingTimeoutMs: 1_000 },
  });
  let hasEnded = false;
  const call = client.getUser("wait").finally(() => {
    hasEnded = true;
  });
  call.catch(() => {});
  await until(() => server.waiting === 1);
  // PINGs are answered, each after the interval: the call lives on, though it is silent for longer than the timeout.
  await until(() => server.pings >= 60);
  expect(hasEnded).toBe(false);
  isFrozen = true;
  await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
});

for (const wire of [{ protocol: "grpc" }, { protocol: "connect", httpVersion: "1.1" }] as const) {
  test(`times without end are no timers that fire at once: ${wire.protocol}`, async () => {
    await using server = await startServer({ auth: false, streams: { resultIntervalMs: 20 } });
    await using proxy = await startProxy(server.port);
    const times = [
      "connectTimeoutMs",
      "pingIntervalMs",
      "pingTimeoutMs",
      "idleTimeoutMs",
      "maxAgeMs",
      "closeTimeoutMs",
    ];
    const pool = { size: 1, ...Object.fromEntries(times.map((name) => [name, Infinity])) };
    const client = createRollcallClient({ baseUrl: proxy.url, retry: false, pool, ...wire });
    expect(await Array.fromAsync(client.query("q"))).toHaveLength(10);
    let count = 0;
    let closed: Promise<void> | undefined;
    for await (const _ of client.query("q")) {
      count += 1;
      closed ??= client.close();
    }
    await closed;
    expect(count).toBe(10);
    expect(proxy.acceptedCount).toBe(1);
  });
}

test("idle and old connections are closed, and replaced when needed", async () => {
  await using server = await startBareServer();
  await using idle = createRollcallClient({ baseUrl: server.url, pool: { idleTimeoutMs: 20 } });
  await idle.getUser("1");
  await until(() => server.sessions.size === 0);
  await idle.getUser("1");

  await using aging = createRollcallClient({ baseUrl: server.url, pool: { maxAgeMs: 50, size: 1 } });
  await until(() => server.sessions.size === 0);
  const slow = aging.getUser("wait");
  await until(() => server.waiting === 1);
  const [old] = server.sessions;
  await until(() => {
    void aging.getUser("1");
    return [...server.sessions].some((session) => session !== old);
  });
  // The old connection still has its call.
  server.openGate();
  await slow;
});

test("the check for leaks sees a connection that is open", async () => {
  await using server = await startBareServer();
  const leaks = watchForLeaks();
  // Many: what the tests before have left, such as timers and closing sockets, may end meanwhile.
  const clients = Array.from({ length: 20 }, () => createRollcallClient({ baseUrl: server.url }));
  for (const client of clients) await client.getUser("1");
  expect(leaks.openCount()).toBeGreaterThan(0);
  for (const client of clients) await client.close();
  await leaks.assertNone();
});

test("close lets calls finish, then nothing is left open", async () => {
  await using server = await startBareServer();
  const leaks = watchForLeaks();
  const client = createRollcallClient({ baseUrl: server.url });
  const call = client.getUser("wait");
  await until(() => server.waiting === 1);
  const closed = client.close();
  await expect(client.getUser("1")).rejects.toMatchObject({ code: Code.Canceled });
  server.openGate();
  await call;
  await closed;
  await until(() => server.sessions.size === 0);
  await leaks.assertNone();
});

test("close cuts calls that last too long", async () => {
  await using server = await startBareServer();
  const client = createRollcallClient({ baseUrl: server.url, retry: false, pool: { closeTimeoutMs: 50 } });
  const call = client.getUser("wait");
  call.catch(() => {});
  await until(() => server.waiting === 1);
  await client.close();
  await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
});

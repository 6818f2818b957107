import { once } from "node:events";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import { Code } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer, until } from "@rollcall/testing/start-server";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import type { RetryEvent } from "../src/index.ts";
import { createRollcall } from "../src/node/index.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

interface CountedCall {
  readonly stream: http2.ServerHttp2Stream;
  /** Number of calls on its connection so far. */
  readonly callCount: number;
  /** Cuts the connection. */
  cut(): void;
}

/** Starts an HTTP/2 server that counts the calls of each connection. */
async function startCounting(onCall: (call: CountedCall) => void) {
  const callsByConnection: number[] = [];
  const server = http2.createServer();
  const sockets = new Map<number | undefined, net.Socket>();
  server.prependListener("connection", (socket: net.Socket) => sockets.set(socket.remotePort, socket));
  server.on("session", (session) => {
    const connection = callsByConnection.push(0) - 1;
    const socket = sockets.get(session.socket.remotePort);
    session.on("error", () => {});
    session.on("stream", (stream: http2.ServerHttp2Stream) => {
      const callCount = (callsByConnection[connection] ?? 0) + 1;
      callsByConnection[connection] = callCount;
      stream.on("error", () => {});
      onCall({ stream, callCount, cut: () => socket?.destroy() });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    callsByConnection,
    get calls() {
      return callsByConnection.reduce((sum, count) => sum + count, 0);
    },
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}

test("with connections cut again and again under many calls, none fails and none is made twice", async () => {
  await using server = await startServer();
  await using proxy = await startTcpProxy(server.port);
  /** More than the budget would allow if each repeated call counted. */
  const ENOUGH = 40;
  let created = 0;
  let repeated = 0;
  await using client = createRollcall({
    baseUrl: proxy.url,
    token: await server.token(),
    timeoutMs: 250_000,
    // Attempts and budget have their defaults. A cut uses up neither.
    retry: { onRetry: () => repeated++ },
  });
  const worker = async (name: string) => {
    // On a busy machine, a cut may hit few unanswered calls. Then there are more cuts.
    for (let index = 0; index < 40 || (repeated <= ENOUGH && index < 400); index++) {
      await client.users.create({ email: `${name}-${index}@example.com`, name });
      created += 1;
      // All open connections end, with all of their calls.
      if (created % 20 === 0) proxy.reset();
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, index) => worker(`worker${index}`)));
  expect(repeated).toBeGreaterThan(ENOUGH);
  expect(created).toBeGreaterThanOrEqual(320);
  expect(await Array.fromAsync(client.users.listAll())).toHaveLength(created);
});

test("a server that takes calls and drops them unanswered gets few again, at the pace of its rests", async () => {
  const makeCalls = async (timeoutMs: number) => {
    await using server = await startCounting(({ cut }) => setImmediate(cut));
    await using client = createRollcall({ baseUrl: server.address, timeoutMs });
    const burst = await Promise.allSettled(Array.from({ length: 100 }, () => client.users.get("1")));
    for (const result of burst) expect(result).toMatchObject({ status: "rejected" });
    return server.callsByConnection;
  };
  let counts = await makeCalls(3_000);
  // On a busy machine, the calls may not have time to be made again.
  for (let timeoutMs = 6_000; counts.length < 3 && timeoutMs < 60_000; timeoutMs *= 2) {
    counts = await makeCalls(timeoutMs);
  }
  // The control: before the first loss, a connection takes all calls.
  expect(counts[0]).toBeGreaterThan(4);
  const later = counts.slice(2);
  expect(Math.max(...later)).toBeLessThanOrEqual(4);
  // There are two connections for each pause. The pauses double from 20 ms to 5 s: seven of them in 3 s, and few more
  // in a minute.
  expect(later.length).toBeGreaterThan(0);
  expect(later.length).toBeLessThan(40);
});

test("a server that begins its answers and drops them is asked again at the pace of its rests, with or without waiting", async () => {
  await using server = await startCounting(({ stream, cut }) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    setImmediate(cut);
  });
  for (const pool of [{}, { waitTimeoutMs: 0 }]) {
    const before = server.calls;
    await using client = createRollcall({ baseUrl: server.address, timeoutMs: 2_000, pool });
    await expect(client.users.get("1")).rejects.toThrow();
    // The control: the call is repeated.
    expect(server.calls - before).toBeGreaterThan(1);
    // The pauses double from 20 ms. Without them, hundreds of calls are made in a second.
    expect(server.calls - before).toBeLessThan(20);
  }
});

test("parts of streams show a server that works, so that the loss of its connections costs no pause", async () => {
  await using server = await startCounting(({ stream, cut }) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    // An empty message.
    stream.write(Buffer.alloc(5), () => setTimeout(cut, 20));
  });
  await using client = createRollcall({ baseUrl: server.address });
  for (let index = 0; index < 15; index++) {
    let count = 0;
    const reading = (async () => {
      // With a pause after each loss, the later ones would be longer than this deadline.
      for await (const _ of client.streams.query("q", { timeoutMs: 2_000 })) count += 1;
    })();
    await expect(reading).rejects.toMatchObject({ code: Code.Unavailable });
    expect(count).toBe(1);
  }
});

test("connections that end before they take a call are replaced at the pace of the address's rests", async () => {
  const close = (session: http2.ServerHttp2Session) => session.destroy();
  const goAway = (session: http2.ServerHttp2Session) => session.goaway();
  for (const end of [close, goAway]) {
    let connections = 0;
    // The calls have to wait, since no stream is accepted.
    const server = http2.createServer({ settings: { maxConcurrentStreams: 0 } });
    server.on("session", (session) => {
      connections += 1;
      session.on("error", () => {});
      session.once("localSettings", () => end(session));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const client = createRollcall({
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      timeoutMs: 2_000,
    });
    const calls = await Promise.allSettled(Array.from({ length: 5 }, () => client.users.get("1")));
    for (const result of calls) expect(result).toMatchObject({ reason: { code: Code.DeadlineExceeded } });
    expect(connections).toBeGreaterThan(1);
    // There are two connections for each pause.
    expect(connections).toBeLessThan(40);
    await client.close();
    server.close();
  }
});

test("calls that are too many at once for a young connection all come through, and the server gets a few times as many at most", async () => {
  let answered = 0;
  // A connection with more than 8 unanswered calls is cut. An answer takes 10 ms.
  const unanswered = new Map<http2.Http2Session | undefined, number>();
  await using server = await startCounting(({ stream, cut }) => {
    const { session } = stream;
    const count = (unanswered.get(session) ?? 0) + 1;
    unanswered.set(session, count);
    setTimeout(() => {
      if (count > 8) cut();
      if (stream.destroyed || (unanswered.get(session) ?? 0) > 8) return;
      unanswered.set(session, (unanswered.get(session) ?? 0) - 1);
      answered += 1;
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.alloc(5));
    }, 10);
  });
  const retries: RetryEvent[] = [];
  const client = createRollcall({
    baseUrl: server.address,
    timeoutMs: 250_000,
    retry: { onRetry: (event) => retries.push(event) },
  });
  await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      client.service(UserService).createUser({ email: `${index}@example.com`, name: "U", requestId: `${index}` }),
    ),
  );
  expect(answered).toBeGreaterThanOrEqual(200);
  // The control: that many calls did come together, and were lost together.
  expect(retries.length).toBeGreaterThan(20);
  expect(server.calls).toBeLessThan(5 * 200);
  await client.close();
});

test("over HTTP/1.1, a server that takes calls and drops them unanswered is bounded by the budget", async () => {
  let calls = 0;
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      calls += 1;
      socket.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const makeCalls = (maxTokens: number, timeoutMs: number) => {
    calls = 0;
    const client = createRollcall({
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      protocol: "connect",
      httpVersion: "1.1",
      timeoutMs,
      retry: { budget: { maxTokens }, initialDelayMs: 1, maxDelayMs: 50 },
    });
    return { client, burst: Promise.allSettled(Array.from({ length: 100 }, () => client.users.get("1"))) };
  };
  const bounded = makeCalls(6, 2_000);
  for (const result of await bounded.burst) expect(result).toMatchObject({ status: "rejected" });
  expect(calls).toBeLessThanOrEqual(110);
  await bounded.client.close();
  // The control: this budget is large enough for all calls.
  const control = makeCalls(100_000, 60_000);
  await until(() => calls > 150);
  await control.client.close();
  await control.burst;
  server.close();
});

test("over HTTP/1.1, a call whose answers are broken off is bounded by the budget", async () => {
  let calls = 0;
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      calls += 1;
      // The head arrives before the end.
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: 9\r\n\r\n");
      setTimeout(() => socket.destroy(), 5);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  await using client = createRollcall({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    protocol: "connect",
    httpVersion: "1.1",
    retry: { budget: { maxTokens: 6 }, initialDelayMs: 1 },
  });
  await expect(client.users.get("1")).rejects.toMatchObject({ code: Code.Unavailable });
  expect(calls).toBe(3);
  server.close();
});

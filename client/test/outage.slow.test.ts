import { getEventListeners, once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { freePort } from "@rollcall/testing/free-port";
import { startServer, until } from "@rollcall/testing/start-server";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import { createRollcall as createCoreClient, RequestNotSentError, type RetryEvent } from "../src/index.ts";
import { findNotSent } from "../src/internal/not-sent.ts";
import { createRollcall, type NodeRollcallOptions } from "../src/node/index.ts";
import { checkEachForLeaks, watchForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

const wires = [
  { protocol: "grpc" },
  { protocol: "connect" },
  { protocol: "grpc-web", httpVersion: "1.1" },
  { protocol: "connect", httpVersion: "1.1" },
] as const;
const nameOf = (wire: Partial<NodeRollcallOptions>) => `${wire.protocol} over HTTP/${wire.httpVersion ?? "2"}`;

/** Reserves the port of a server that is down until `start`. */
async function startOutage() {
  const port = await freePort();
  const server = await startServer();
  const proxies: Awaited<ReturnType<typeof startTcpProxy>>[] = [];
  return {
    address: `http://127.0.0.1:${port}`,
    server,
    async start() {
      proxies.push(await startTcpProxy(server.port, { port }));
    },
    async [Symbol.asyncDispose]() {
      for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/**
 * Makes a call with a deadline. If a busy machine had no time to find that nothing listens, the call is repeated with a
 * longer deadline. Returns its error.
 */
async function untilRefused(call: (timeoutMs: number) => Promise<unknown>): Promise<unknown> {
  for (let timeoutMs = 500; ; timeoutMs *= 2) {
    const error = await call(timeoutMs).catch((reason: unknown) => reason);
    if (String(error).includes("ECONNREFUSED") || timeoutMs > 60_000) return error;
  }
}

for (const wire of wires) {
  test(`calls that are made while the server is down are served when it is back: ${nameOf(wire)}`, async () => {
    await using outage = await startOutage();
    const reached: ConnectError[] = [];
    const retries: RetryEvent[] = [];
    await using client = createRollcall({
      baseUrl: outage.address,
      token: await outage.server.token(),
      timeoutMs: 25_000,
      // Calls that could have reached the server must not be repeated.
      retry: { maxAttempts: 2, budget: { maxTokens: 2 }, onRetry: (event) => retries.push(event) },
      pool: { onUnreachable: (error) => reached.push(error) },
      ...wire,
    });
    const creates = Array.from({ length: 20 }, (_, index) =>
      // There is no request id: calls that were never sent can be repeated without one.
      client.service(UserService).createUser({ email: `user${index}@example.com`, name: "User" }),
    );
    const query = Array.fromAsync(client.streams.query("q"));
    await until(() => reached.length > 0);
    await outage.start();
    expect(await Promise.all(creates)).toHaveLength(20);
    expect(await query).toHaveLength(10);
    expect((await client.users.list()).users).toHaveLength(20);
    expect(retries).toEqual([]);
    // There is one report for all waiting calls.
    expect(reached).toHaveLength(1);
    expect(reached[0]?.rawMessage).toContain("ECONNREFUSED");
  });

  test(`an outage that outlasts the deadline ends with what was waited for, and an abort at once: ${nameOf(wire)}`, async () => {
    const leaks = watchForLeaks();
    const lines: unknown[] = [];
    const write = (fields: object) => lines.push(fields);
    const client = createRollcall({
      baseUrl: `http://127.0.0.1:${await freePort()}`,
      logger: { info: write, warn: write },
      ...wire,
    });
    const error = await untilRefused((timeoutMs) => {
      lines.length = 0;
      return client.users.get("1", { timeoutMs });
    });
    expect(error).toMatchObject({ code: Code.DeadlineExceeded, rawMessage: expect.stringContaining("ECONNREFUSED") });
    expect((error as Error).message).toContain("waiting for a connection");
    expect(lines).toMatchObject([{ code: "deadline_exceeded", error: expect.stringContaining("ECONNREFUSED") }]);
    // The caller may repeat the call, whatever kind it was.
    expect(findNotSent(error)).toBeInstanceOf(RequestNotSentError);

    const controller = new AbortController();
    const { signal } = controller;
    const calls = [
      client.users.get("1", { signal, timeoutMs: 600_000 }),
      Array.fromAsync(client.streams.query("q", { signal })),
    ];
    const settled = Promise.allSettled(calls);
    await until(() => getEventListeners(signal, "abort").length > 0);
    controller.abort();
    for (const result of await settled) expect(result).toMatchObject({ reason: { code: Code.Canceled } });
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    await client.close();
    await leaks.assertNone();
  });

  test(`a call without a deadline does not wait for ever, and what waits is bounded: ${nameOf(wire)}`, async () => {
    const address = `http://127.0.0.1:${await freePort()}`;
    await using short = createRollcall({ baseUrl: address, pool: { waitTimeoutMs: 200 }, ...wire });
    const error = await Array.fromAsync(short.streams.query("q")).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: Code.Unavailable,
      rawMessage: expect.stringMatching(/^no connection within 200 ms: .*ECONNREFUSED/),
    });

    const pool = { maxWaitingCalls: 3, maxWaitingBytes: 100_000 };
    const client = createRollcall({ baseUrl: address, pool, timeoutMs: 60_000, ...wire });
    let failed = 0;
    const countFailed = () => failed++;
    const calls = Array.from({ length: 10 }, () =>
      client.users.list().catch((reason: ConnectError) => {
        countFailed();
        return reason;
      }),
    );
    await until(() => failed === 7);
    await client.close();
    const results = await Promise.all(calls);
    const tooMany = results.filter((result) => result instanceof ConnectError && result.code === Code.Unavailable);
    expect(tooMany).toHaveLength(7);
    expect(String(tooMany[0])).toContain("3 calls wait for a connection already");

    await using large = createRollcall({ baseUrl: address, pool, timeoutMs: 60_000, ...wire });
    const first = large.users.create({ email: "a@example.com", name: "x".repeat(90_000) });
    first.catch(() => {});
    await expect(large.users.create({ email: "b@example.com", name: "x".repeat(90_000) })).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: expect.stringContaining("100000 bytes wait for a connection already"),
    });
  });
}

test("a server that refuses every stream is asked at the backoff's pace, until the deadline", async () => {
  const BACKOFF_MS = 100;
  let streams = 0;
  const server = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream: http2.ServerHttp2Stream) => {
    streams += 1;
    stream.on("error", () => {});
    stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createRollcall({ baseUrl: address, retry: { backoff: () => BACKOFF_MS } });
  // Several attempts fit into the deadline of one call, if the machine is not too busy.
  for (let timeoutMs = 1_000; streams <= 2 && timeoutMs <= 60_000; timeoutMs *= 2) {
    streams = 0;
    const error = await client.users.delete("1", { timeoutMs }).catch((reason: unknown) => reason);
    // The deadline may end between two attempts or during one.
    expect([Code.Unavailable, Code.DeadlineExceeded]).toContain((error as ConnectError).code);
    // There are two attempts for each pause. The pauses get shorter only close to the deadline.
    expect(streams).toBeLessThanOrEqual(2 * (timeoutMs / BACKOFF_MS + 8));
  }
  expect(streams).toBeGreaterThan(2);
  await client.close();
  for (const session of sessions) session.destroy();
  server.close();
});

test("an earlier attempt that may have arrived is not forgotten: the error does not say that nothing was sent", async () => {
  const error = await untilRefused(async (timeoutMs) => {
    // This server accepts one call, drops it, and stops.
    const server = http2.createServer();
    server.on("stream", (stream: http2.ServerHttp2Stream) => {
      stream.on("error", () => {});
      server.close();
      stream.session?.destroy();
    });
    const port = await freePort();
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    await using client = createRollcall({ baseUrl: `http://127.0.0.1:${port}`, retry: { initialDelayMs: 1 } });
    try {
      await client.users.create({ email: "ada@example.com", name: "Ada" }, { timeoutMs });
    } finally {
      server.close();
    }
  });
  expect(error).toMatchObject({ code: Code.DeadlineExceeded, rawMessage: expect.stringContaining("ECONNREFUSED") });
  expect(findNotSent(error)).toBeUndefined();
});

test("the core over fetch waits too where fetch reports that nobody was reached", async () => {
  const port = await freePort();
  await using server = await startServer();
  let retries = 0;
  const client = createCoreClient({
    baseUrl: `http://127.0.0.1:${port}`,
    token: await server.token(),
    timeoutMs: 25_000,
    retry: { maxAttempts: 2, budget: { maxTokens: 2 }, initialDelayMs: 20, maxDelayMs: 100, onRetry: () => retries++ },
  });
  const create = client.service(UserService).createUser({ email: "ada@example.com", name: "Ada" });
  await until(() => retries > 3);
  await using _proxy = await startTcpProxy(server.port, { port });
  expect((await create).user?.name).toBe("Ada");

  // A call that may have arrived is not repeated.
  const dropping = net.createServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
  dropping.listen(0, "127.0.0.1");
  await once(dropping, "listening");
  const address = `http://127.0.0.1:${(dropping.address() as AddressInfo).port}`;
  const before = retries;
  const other = createCoreClient({ baseUrl: address, retry: { onRetry: () => retries++ } });
  await expect(other.service(UserService).createUser({ email: "a@b.c", name: "A" })).rejects.toMatchObject({
    code: Code.Unavailable,
  });
  expect(retries).toBe(before);
  dropping.close();
});

test("what the server asks for is heard in each protocol: RetryInfo, pushback and Retry-After", async () => {
  const answers: Record<string, string>[] = [{ "retry-after": "0" }, { "grpc-retry-pushback-ms": "5" }];
  let calls = 0;
  const server = http.createServer((request, response) => {
    request.resume();
    const headers = answers[calls];
    calls += 1;
    response.writeHead(headers ? 429 : 200, {
      "content-type": headers ? "application/json" : "application/proto",
      ...headers,
    });
    response.end(headers ? '{"code":"resource_exhausted","message":"busy"}' : "");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = { baseUrl: address, protocol: "connect", httpVersion: "1.1" } as const;
  const client = createRollcall({ ...options, retry: { initialDelayMs: 1 } });
  await client.users.list();
  expect(calls).toBe(3);
  // One answer forbids a retry. The other one is the control, and contains nothing about retries.
  for (const headers of [{ "grpc-retry-pushback-ms": "-1", "retry-after": "0" }, {}]) {
    calls = 0;
    answers.splice(0, answers.length, headers as Record<string, string>);
    await expect(client.users.list()).rejects.toMatchObject({ code: Code.ResourceExhausted });
    expect(calls).toBe(1);
  }
  await client.close();
  server.closeAllConnections();
  server.close();
});

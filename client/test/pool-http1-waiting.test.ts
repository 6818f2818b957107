import { Code } from "@connectrpc/connect";
import { freePort } from "@rollcall/testing/free-port";
import { startServer, until } from "@rollcall/testing/start-server";
import { startSilentServer, startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import { findNotSent } from "../src/internal/not-sent.ts";
import { createRollcall, type NodeRollcall } from "../src/node/index.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

const wire = { protocol: "connect", httpVersion: "1.1" } as const;

/** Starts a server whose streams last longer than any test. */
const startStreaming = () => startServer({ auth: false, streams: { resultIntervalMs: 20, resultCount: 1_000_000 } });

/** Takes a connection with a stream, until `return` is called. */
async function occupy(client: NodeRollcall) {
  const stream = client.streams.query("q", { timeoutMs: 60_000 })[Symbol.asyncIterator]();
  await stream.next();
  return { end: () => stream.return?.(), next: () => stream.next() };
}

const failure = (call: Promise<unknown>) =>
  call.then(
    () => "no error",
    (error: unknown) => error,
  );

test("a call that waits behind others ends by its deadline and by its caller, and was not sent", async () => {
  await using server = await startStreaming();
  await using client = createRollcall({ baseUrl: server.url, ...wire, retry: false });
  const streams = [await occupy(client), await occupy(client)];
  const aborted = new AbortController();
  const ended = Promise.all([
    failure(client.users.get("1", { timeoutMs: 50 })),
    failure(Array.fromAsync(client.streams.query("late", { timeoutMs: 50 }))),
    failure(client.users.get("1", { signal: aborted.signal, timeoutMs: 0 })),
  ]);
  const next = client.users.list({}, { timeoutMs: 60_000 });
  aborted.abort();
  const errors = await ended;
  const { DeadlineExceeded, Canceled } = Code;
  expect(errors).toMatchObject([{ code: DeadlineExceeded }, { code: DeadlineExceeded }, { code: Canceled }]);
  expect(errors[0]).toMatchObject({ rawMessage: expect.stringContaining("while waiting for a connection") });
  expect(errors.slice(0, 2).map((error) => findNotSent(error) !== undefined)).toEqual([true, true]);
  // The turn of those that have ended goes to the next.
  await streams[0]?.end();
  expect((await next).users).toEqual([]);
  await streams[1]?.end();
});

test("close lets the calls on connections go on, and those that wait are canceled and never sent", async () => {
  await using server = await startStreaming();
  const client = createRollcall({ baseUrl: server.url, ...wire, pool: { size: 1 } });
  const stream = await occupy(client);
  const creates = ["a", "b"].map((name) => failure(client.users.create({ email: `${name}@example.com`, name })));
  const closed = client.close();
  expect(await Promise.all(creates)).toMatchObject([{ code: Code.Canceled }, { code: Code.Canceled }]);
  expect((await stream.next()).done).toBe(false);
  await stream.end();
  await closed;
  await using other = createRollcall({ baseUrl: server.url });
  expect((await other.users.list()).users).toEqual([]);
});

test("without any connection, waiting calls and their bytes are bounded", async () => {
  await using silent = await startSilentServer();
  const bound = async (pool: { maxWaitingCalls?: number; maxWaitingBytes?: number }) => {
    const client = createRollcall({
      // A TLS handshake that is not answered keeps the connection from opening.
      baseUrl: silent.url.replace("http", "https"),
      ...wire,
      retry: false,
      timeoutMs: 60_000,
      pool: { size: 1, connectTimeoutMs: 60_000, ...pool },
    });
    const before = silent.acceptedCount;
    const user = { email: "a@example.com", name: "a".repeat(100) };
    const accepted = [1, 2, 3].map(() => failure(client.users.create(user)));
    const refused = await failure(client.users.create(user));
    await until(() => silent.acceptedCount > before);
    await client.close();
    for (const error of await Promise.all(accepted)) expect(error).toMatchObject({ code: Code.Canceled });
    return refused;
  };
  expect(await bound({ maxWaitingCalls: 2 })).toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringContaining("2 calls wait for a connection already"),
  });
  expect(await bound({ maxWaitingBytes: 400 })).toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringContaining("400 bytes wait for a connection already"),
  });
});

test("the control: behind calls on connections more may wait", async () => {
  await using server = await startStreaming();
  await using client = createRollcall({ baseUrl: server.url, ...wire, pool: { size: 1, maxWaitingCalls: 1 } });
  const stream = await occupy(client);
  const calls = Array.from({ length: 20 }, () => client.users.list({}, { timeoutMs: 60_000 }));
  await stream.end();
  await Promise.all(calls);
});

test("calls that wait for a busy address go to another one that is back", async () => {
  await using busy = await startStreaming();
  const port = await freePort();
  await using client = createRollcall({
    baseUrl: [`http://127.0.0.1:${port}`, busy.url],
    ...wire,
    timeoutMs: 60_000,
    pool: { size: 1 },
  });
  const stream = await occupy(client);
  // It fails at the first address, and then waits for the second.
  const waiting = client.users.list();
  await using back = await startTcpProxy(busy.port, { port });
  expect((await waiting).users).toEqual([]);
  expect(back.acceptedCount).toBe(1);
  await stream.end();
});

test("if no more connections can be made, calls take turns on those that work", async () => {
  await using server = await startServer({ auth: false });
  const unreachable: unknown[] = [];
  await using proxy = await startTcpProxy(server.port);
  const pool = { size: 3, onUnreachable: (error: unknown) => unreachable.push(error) };
  await using client = createRollcall({ baseUrl: proxy.url, ...wire, pool, retry: false });
  await Promise.all([client.users.list(), client.users.list()]);
  proxy.refuse();
  const calls = Array.from({ length: 200 }, () => client.users.list({}, { timeoutMs: 60_000 }));
  expect(await Promise.all(calls)).toHaveLength(200);
  expect(unreachable).toEqual([]);
});

test("if waiting is off, the first attempt to connect ends all calls that wait for it", async () => {
  await using silent = await startSilentServer();
  await using client = createRollcall({
    baseUrl: silent.url.replace("http", "https"),
    ...wire,
    retry: false,
    timeoutMs: 60_000,
    pool: { size: 1, connectTimeoutMs: 100, waitTimeoutMs: 0 },
  });
  const errors = await Promise.all(Array.from({ length: 5 }, () => failure(client.users.list())));
  for (const error of errors) {
    expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: expect.stringContaining("within 100 ms") });
  }
  // One of them may have begun just before.
  expect(silent.acceptedCount).toBeLessThanOrEqual(2);
});

test("a request that can't be made costs no connection its place", async () => {
  await using server = await startServer({ auth: false });
  let value = "a\u0001b";
  await using client = createRollcall({
    baseUrl: server.url,
    ...wire,
    retry: false,
    interceptors: [
      (next) => (request) => {
        request.header.set("x-note", value);
        return next(request);
      },
    ],
    pool: { size: 1 },
  });
  for (let count = 0; count < 2; count++) {
    expect(await failure(client.users.list())).toMatchObject({ rawMessage: expect.stringContaining("x-note") });
  }
  value = "ab";
  expect((await client.users.list()).users).toEqual([]);
});

import { getEventListeners } from "node:events";
import { Code } from "@connectrpc/connect";
import { startServer, until } from "@rollcall/testing/start-server";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import { RequestNotSentError } from "../src/index.ts";
import { createRollcall } from "../src/node/index.ts";
import { startBareServer } from "./support/bare-server.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

test("calls are spread over the connections of the pool, those with the fewest first", async () => {
  await using server = await startBareServer({ maxConcurrentStreams: 4 });
  await using client = createRollcall({ baseUrl: server.url, pool: { size: 3 } });
  const calls: Promise<unknown>[] = [];
  for (let index = 0; index < 12; index++) {
    calls.push(client.users.get("wait"));
    await until(() => server.waiting === index + 1);
    // Another connection is opened when the others are full.
    if (index === 2) expect(server.sessions.size).toBe(1);
    if (index === 3) await until(() => server.sessions.size === 2);
    if (index === 7) await until(() => server.sessions.size === 3);
  }
  expect([...server.streams.values()]).toEqual([4, 4, 4]);
  server.openGate();
  await Promise.all(calls);
  expect(server.calls).toBe(12);
});

test("calls that one connection takes need no other", async () => {
  await using server = await startBareServer();
  await using client = createRollcall({ baseUrl: server.url, pool: { size: 3 } });
  for (let index = 0; index < 20; index++) await Promise.all([client.users.get("1"), client.users.get("2")]);
  expect(server.sessions.size).toBe(1);
});

test("no connection gets more streams than its server takes; further calls wait in order", async () => {
  await using server = await startBareServer({ maxConcurrentStreams: 2 });
  await using client = createRollcall({ baseUrl: server.url, pool: { size: 2 } });
  const calls = Array.from({ length: 10 }, () => client.users.get("wait", { timeoutMs: 20_000 }));
  await until(() => server.waiting === 4);
  const canceled = new AbortController();
  const impatient = client.users.get("wait", { signal: canceled.signal });
  canceled.abort();
  await expect(impatient).rejects.toMatchObject({ code: Code.Canceled });
  expect(getEventListeners(canceled.signal, "abort")).toHaveLength(0);
  const gates = setInterval(server.openGate, 5);
  await Promise.all(calls);
  clearInterval(gates);
  expect(server.calls).toBe(10);
});

test("a limit of streams that the server raises lets waiting calls go", async () => {
  await using server = await startBareServer({ maxConcurrentStreams: 1 });
  await using client = createRollcall({ baseUrl: server.url, timeoutMs: 60_000, pool: { size: 1 } });
  const calls = Array.from({ length: 3 }, () => client.users.get("wait"));
  await until(() => server.waiting === 1);
  for (const session of server.sessions) session.settings({ maxConcurrentStreams: 3 });
  await until(() => server.waiting === 3);
  server.openGate();
  await Promise.all(calls);
});

test("what waits beside a server that accepts no streams is bounded like in an outage", async () => {
  await using server = await startBareServer({ maxConcurrentStreams: 0 });
  await using hasty = createRollcall({ baseUrl: server.url, pool: { waitTimeoutMs: 0 } });
  await using short = createRollcall({ baseUrl: server.url, pool: { waitTimeoutMs: 100 } });
  for (const client of [hasty, short, hasty, short]) {
    const error = await client.users.get("1", { timeoutMs: 0 }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: Code.Unavailable,
      rawMessage: expect.stringContaining("no server accepts a call at present"),
      cause: expect.any(RequestNotSentError),
    });
  }

  await using client = createRollcall({ baseUrl: server.url, timeoutMs: 60_000, pool: { maxWaitingCalls: 3 } });
  const before = server.sessions.size;
  const first = client.users.get("1");
  await until(() => server.sessions.size > before);
  let failed = 0;
  const calls = Array.from({ length: 10 }, () => client.users.get("1").catch(() => failed++));
  await until(() => failed === 8);
  for (const session of server.sessions) session.settings({ maxConcurrentStreams: 3 });
  await Promise.all([first, ...calls]);
  expect(failed).toBe(8);
});

for (const wire of [{ protocol: "grpc" }, { protocol: "connect", httpVersion: "1.1" }] as const) {
  test(`times without end are no timers that fire at once: ${wire.protocol}`, async () => {
    await using server = await startServer({ auth: false, streams: { resultIntervalMs: 20 } });
    await using proxy = await startTcpProxy(server.port);
    const times = [
      "connectTimeoutMs",
      "pingIntervalMs",
      "pingTimeoutMs",
      "idleTimeoutMs",
      "maxAgeMs",
      "closeTimeoutMs",
    ];
    const pool = { size: 1, ...Object.fromEntries(times.map((name) => [name, Infinity])) };
    const client = createRollcall({ baseUrl: proxy.url, retry: false, pool, ...wire });
    expect(await Array.fromAsync(client.streams.query("q"))).toHaveLength(10);
    let count = 0;
    let closed: Promise<void> | undefined;
    for await (const _ of client.streams.query("q")) {
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
  await using idle = createRollcall({ baseUrl: server.url, pool: { idleTimeoutMs: 20 } });
  await idle.users.get("1");
  await until(() => server.sessions.size === 0);
  await idle.users.get("1");

  await using aging = createRollcall({ baseUrl: server.url, pool: { maxAgeMs: 50, size: 1 } });
  await until(() => server.sessions.size === 0);
  const slow = aging.users.get("wait");
  await until(() => server.waiting === 1);
  const [old] = server.sessions;
  await until(() => {
    // One call may still be waiting when the client is closed.
    aging.users.get("1").catch(() => {});
    return [...server.sessions].some((session) => session !== old);
  });
  // The old connection still has its call.
  server.openGate();
  await slow;
});

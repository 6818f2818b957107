import http2 from "node:http2";
import type { Socket } from "node:net";
import { Code } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { until } from "@rollcall/testing/start-server";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import { createRollcall } from "../src/node/index.ts";
import { startBareServer } from "./support/bare-server.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

test("a GOAWAY on an idle connection is no error, and the next call gets a new connection", async () => {
  await using server = await startBareServer();
  await using client = createRollcall({ baseUrl: server.url, retry: false, pool: { size: 1 } });
  for (const code of [http2.constants.NGHTTP2_NO_ERROR, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM]) {
    await client.users.get("1");
    const [session] = server.sessions;
    session?.goaway(code);
    session?.close();
    await until(() => !server.sessions.has(session as http2.ServerHttp2Session));
    await client.users.get("1");
    expect(server.sessions.size).toBe(1);
  }
});

test("a GOAWAY on a busy connection lets its calls finish, and moves those that it refuses", async () => {
  await using server = await startBareServer();
  await using client = createRollcall({ baseUrl: server.url, retry: false, pool: { size: 1 } });
  const slow = client.users.get("wait");
  await until(() => server.waiting === 1);
  const [session] = server.sessions;
  // When the second stream arrives, the server reports that it processes only the first one, number 1.
  session?.once("stream", (stream: http2.ServerHttp2Stream) => {
    session.goaway(http2.constants.NGHTTP2_NO_ERROR, 1);
    stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  });
  // Without a request id there is no retry. Only a request that was never sent may be sent again.
  const { user } = await client.service(UserService).createUser({ email: "ada@example.com", name: "Ada" });
  expect(user?.email).toBe("ada@example.com");
  server.openGate();
  await slow;
  await until(() => server.sessions.size === 1);
});

test("a connection on which the server asks for calm takes no more calls", async () => {
  await using server = await startBareServer();
  await using client = createRollcall({ baseUrl: server.url, retry: false, pool: { size: 1 } });
  const slow = client.users.get("wait");
  await until(() => server.waiting === 1);
  const [session] = server.sessions;
  session?.once("stream", (stream: http2.ServerHttp2Stream) => {
    stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });
  await expect(client.users.get("1")).rejects.toMatchObject({ code: Code.ResourceExhausted });
  await client.users.get("1");
  expect([...server.streams.values()]).toEqual([2, 1]);
  // Running calls finish.
  server.openGate();
  await slow;
  await until(() => server.sessions.size === 1);
});

test("a GOAWAY with an error ends the calls it names, and moves those after them", async () => {
  await using server = await startBareServer();
  await using client = createRollcall({ baseUrl: server.url, retry: false, pool: { size: 1 } });
  const first = client.users.get("wait");
  first.catch(() => {});
  await until(() => server.waiting === 1);
  const [session] = server.sessions;
  session?.once("stream", () => {
    session.goaway(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM, 1);
  });
  const { user } = await client.service(UserService).createUser({ email: "ada@example.com", name: "Ada" });
  expect(user?.email).toBe("ada@example.com");
  await expect(first).rejects.toMatchObject({ code: Code.Unavailable });
});

test("a connection that is lost under a call is unavailable, and only what is safe is repeated", async () => {
  await using server = await startBareServer();
  await using plain = createRollcall({ baseUrl: server.url, retry: false });
  const lost = plain.users.get("wait");
  await until(() => server.waiting === 1);
  for (const session of server.sessions) session.destroy();
  await expect(lost).rejects.toMatchObject({ code: Code.Unavailable });

  await using client = createRollcall({ baseUrl: server.url, retry: { initialDelayMs: 1 } });
  const calls = server.calls;
  const repeated = client.users.get("wait");
  await until(() => server.calls === calls + 1);
  for (const session of server.sessions) session.socket.resetAndDestroy();
  await until(() => server.calls === calls + 2);
  server.openGate();
  await repeated;
});

test("a PING that is not answered ends the connection and its calls", async () => {
  // A machine that pauses for longer than the timeout loses an answer too. Then a longer timeout is tried.
  for (let pingTimeoutMs = 1_000; !(await endsByPing(pingTimeoutMs)); pingTimeoutMs *= 4) {
    expect(pingTimeoutMs).toBeLessThan(60_000);
  }
});

/** Returns whether a call lived on while PINGs were answered, and asserts that it ended when they no longer were. */
async function endsByPing(pingTimeoutMs: number): Promise<boolean> {
  await using server = await startBareServer();
  let isFrozen = false;
  await using proxy = await startTcpProxy(Number(new URL(server.url).port), {
    onRequestBytes: (bytes) => (isFrozen ? undefined : bytes),
  });
  await using client = createRollcall({
    baseUrl: proxy.url,
    retry: false,
    timeoutMs: 250_000,
    pool: { pingIntervalMs: 20, pingTimeoutMs },
  });
  let hasEnded = false;
  const call = client.users.get("wait").finally(() => {
    hasEnded = true;
  });
  call.catch(() => {});
  await until(() => server.waiting === 1 || hasEnded);
  // PINGs are answered, each after the interval. The call survives, though it is silent for longer than the timeout.
  const silentAtMs = performance.now();
  await until(() => hasEnded || (server.pings >= 60 && performance.now() - silentAtMs > pingTimeoutMs));
  if (hasEnded) return false;
  isFrozen = true;
  await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
  return true;
}

/** Starts a server behind a proxy that can make all connections so far silent, as a lost entry of a NAT does. */
async function startSilencing() {
  const server = await startBareServer();
  const seen = new Set<Socket>();
  const silent = new Set<Socket>();
  const proxy = await startTcpProxy(Number(new URL(server.url).port), {
    onRequestBytes(bytes, socket) {
      seen.add(socket);
      return silent.has(socket) ? undefined : bytes;
    },
  });
  return {
    server,
    proxy,
    silence() {
      for (const socket of seen) silent.add(socket);
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("a dead connection is replaced after a call without an answer, though calls come one after another", async () => {
  await using silencing = await startSilencing();
  await using client = createRollcall({ baseUrl: silencing.proxy.url, retry: false, pool: { size: 1 } });
  await client.users.get("1");
  silencing.silence();
  await expect(client.users.get("1", { timeoutMs: 1_500 })).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  // The next one does not wait for the end of the dead connection, which takes pingTimeoutMs.
  await client.users.get("1");
  expect(silencing.proxy.acceptedCount).toBe(2);
  await until(() => silencing.proxy.openCount === 1);
});

test("a dead connection is found by calls whose deadlines are shorter than the silence before a PING", async () => {
  await using silencing = await startSilencing();
  await using client = createRollcall({ baseUrl: silencing.proxy.url, retry: false, timeoutMs: 100 });
  const untilAnswered = async () => {
    const isAnswered = await client.users.get("1").then(Boolean, () => false);
    if (!isAnswered) await untilAnswered();
  };
  await untilAnswered();
  silencing.silence();
  // Without another connection, no call would ever be answered again.
  await untilAnswered();
  expect(silencing.proxy.acceptedCount).toBeGreaterThan(1);
});

test("with a dead connection to one of two addresses, calls go to the other one", async () => {
  await using silencing = await startSilencing();
  await using alive = await startBareServer();
  await using client = createRollcall({ baseUrl: [silencing.proxy.url, alive.url], retry: false, timeoutMs: 1_500 });
  while (alive.calls === 0 || silencing.server.calls === 0) await client.users.get("1");
  silencing.silence();
  let failed = 0;
  for (let index = 0; index < 20; index++) await client.users.get("1").catch(() => failed++);
  expect(failed).toBe(1);
});

test("after a call without an answer, an idle connection is sent one PING, and ended if that is not answered", async () => {
  await using silencing = await startSilencing();
  const { server, proxy } = silencing;
  const options = { baseUrl: proxy.url, retry: false } as const;
  await using answered = createRollcall({ ...options, pool: { idleTimeoutMs: 3_000 } });
  await expect(answered.users.get("wait", { timeoutMs: 500 })).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  await until(() => server.pings === 1);
  await until(() => proxy.openCount === 0);
  expect(server.pings).toBe(1);

  await using unanswered = createRollcall({ ...options, pool: { pingTimeoutMs: 100 } });
  await unanswered.users.get("1");
  silencing.silence();
  await expect(unanswered.users.get("1", { timeoutMs: 100 })).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  await until(() => proxy.openCount === 0);
});

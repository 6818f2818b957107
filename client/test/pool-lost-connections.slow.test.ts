import http2 from "node:http2";
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

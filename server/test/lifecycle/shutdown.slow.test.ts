import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { startProcess } from "@rollcall/testing/start-process";
import { startServer as startTestServer, type TestServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import type { AppOptions } from "../../src/app-options.ts";
import { defaultConnectionLimits } from "../../src/limits.ts";

/** Starts a server that waits for idle connections as in production. */
function startServer(options: Partial<AppOptions>): Promise<TestServer> {
  const { idleBeforeCloseMs } = defaultConnectionLimits;
  return startTestServer({ ...options, limits: { idleBeforeCloseMs } });
}

function streamsOf(server: TestServer, httpVersion: "1.1" | "2" = "2") {
  return createClient(StreamService, createConnectTransport({ baseUrl: server.url, httpVersion }));
}

test.each(["1.1", "2"] as const)("over HTTP/%s an upload under way is finished", async (httpVersion) => {
  const server = await startServer({ shutdownGraceMs: 60_000 });
  let closing: Promise<void> | undefined;
  const { authorization } = await server.auth();
  const upload = streamsOf(server, httpVersion).clientStream(
    (async function* () {
      yield { chunk: new Uint8Array(1_000) };
      await delay(200);
      closing = server.app.close();
      await delay(300);
      yield { chunk: new Uint8Array(1_000) };
    })(),
    { headers: { authorization } },
  );
  expect((await upload).totalBytes).toBe(2_000n);
  await closing;
});

test("a stream without end ends with unavailable after the grace, and its connection with GOAWAY", async () => {
  const streamUntilStop = async (shutdownGraceMs: number) => {
    const server = await startServer({ shutdownGraceMs, streams: { resultCount: 1_000_000, resultIntervalMs: 20 } });
    const headers = await server.auth();
    const session = http2.connect(server.url);
    await once(session, "connect");
    const goaway = once(session, "goaway");
    const transport = createGrpcTransport({ baseUrl: server.url });
    let seen = 0;
    let closing: Promise<void> | undefined;
    const call = (async () => {
      for await (const _ of createClient(StreamService, transport).serverStream({ query: "q" }, { headers })) {
        seen += 1;
        if (seen === 2) closing = server.app.close();
      }
    })();
    const error = await call.catch(ConnectError.from);
    expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: "server is shutting down" });
    await goaway;
    await closing;
    expect(server.log.find(({ msg }) => msg === "call")).toMatchObject({ code: "unavailable" });
    return seen;
  };
  // On a busy machine, a grace can be over before the next result is due.
  let seen = 0;
  for (let graceMs = 300; seen <= 2 && graceMs < 20_000; graceMs *= 2) seen = await streamUntilStop(graceMs);
  expect(seen).toBeGreaterThan(2);
});

test("an idle server stops at once, with idle connections of both versions open", async () => {
  const server = await startServer({ shutdownGraceMs: 600_000 });
  const session = http2.connect(server.url);
  await once(session, "connect");
  await fetch(`${server.url}/healthz`);
  await server.app.close();
  await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
});

test("a connection is idle again when the rest of a request has arrived that was answered early", async () => {
  const server = await startServer({ shutdownGraceMs: 600_000 });
  const socket = net.connect(server.port, "127.0.0.1");
  const closed = once(socket, "close");
  let answers = "";
  socket.on("data", (chunk) => {
    answers += chunk.toString("latin1");
  });
  socket.write(
    "POST /user.v1.UserService/CreateUser HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n" +
      "content-length: 1000000\r\n\r\n",
  );
  await until(() => answers.includes("missing authorization token"));
  socket.write("x".repeat(1_000_000));
  socket.write("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
  await until(() => answers.includes('"status":"ok"'));
  socket.write(
    "POST /user.v1.UserService/CreateUser HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n" +
      "content-length: 1000000\r\n\r\n",
  );
  await until(() => answers.split("missing authorization token").length === 3);
  socket.write("x".repeat(1_000_000));
  await server.app.close();
  await closed;
});

/** Asks a draining server whether it is ready, on a connection whose earlier call lasts until the end of the grace. */
async function askDraining(shutdownGraceMs: number): Promise<string> {
  const server = await startServer({ shutdownGraceMs, streams: { resultCount: 1_000_000, resultIntervalMs: 20 } });
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  const { authorization } = await server.auth();
  const socket = net.connect(server.port, "127.0.0.1");
  const closed = once(socket, "close");
  let answers = "";
  socket.on("data", (chunk) => {
    answers += chunk.toString("latin1");
  });
  const query = '{"query":"q"}';
  socket.write(
    `POST /stream.v1.StreamService/ServerStream HTTP/1.1\r\nhost: a\r\nauthorization: ${authorization}\r\n` +
      `content-type: application/connect+json\r\ncontent-length: ${query.length + 5}\r\n\r\n` +
      `\0\0\0\0${String.fromCharCode(query.length)}${query}`,
  );
  await until(() => answers.includes("Result 1 "));
  const closing = server.app.close();
  // A connection with a call under way is not idle, and accepts another request.
  socket.write("GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n");
  await closing;
  await closed;
  expect(answers).toContain('"code":"unavailable"');
  return answers;
}

test("a draining server is not ready", async () => {
  const isNotReady = /HTTP\/1\.1 503 .*"status":"unavailable"/s;
  let answers = "";
  // On a busy machine, a grace can be over before the request arrives.
  for (let graceMs = 400; !isNotReady.test(answers) && graceMs < 20_000; graceMs *= 2) {
    answers = await askDraining(graceMs);
  }
  expect(answers).toMatch(isNotReady);
});

test("before it drains, a server that has a delay is not ready and serves new connections", async () => {
  const statusesWithin = async (shutdownDelayMs: number) => {
    const server = await startServer({ shutdownDelayMs });
    const headers = { ...(await server.auth()), "content-type": "application/json", connection: "close" };
    const statusOf = (path: string, init: RequestInit) =>
      fetch(server.url + path, init).then(
        ({ status }) => status,
        () => undefined,
      );
    const startedAt = performance.now();
    const closing = server.app.close();
    const ready = await statusOf("/readyz", { headers: { connection: "close" } });
    const call = await statusOf("/user.v1.UserService/ListUsers", { method: "POST", headers, body: "{}" });
    await closing;
    expect(performance.now() - startedAt).toBeGreaterThan(shutdownDelayMs - 5);
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
    return [ready, call];
  };
  // On a busy machine, a delay can be over before the requests arrive.
  let statuses: (number | undefined)[] = [undefined];
  for (let delayMs = 400; statuses.includes(undefined) && delayMs < 20_000; delayMs *= 2) {
    statuses = await statusesWithin(delayMs);
  }
  expect(statuses).toEqual([503, 200]);
});

test("SIGTERM lets a call finish and exits with 0", async () => {
  await using server = await startProcess();
  const answer = createClient(StreamService, createConnectTransport({ baseUrl: server.url, httpVersion: "2" }));
  const results: number[] = [];
  const call = (async () => {
    for await (const { sequence } of answer.serverStream({ query: "q" }, { headers: server.headers })) {
      results.push(sequence);
      if (sequence === 0) server.process.kill("SIGTERM");
    }
  })();
  await call;
  expect(results).toHaveLength(10);
  expect(await server.exited).toBe(0);
});

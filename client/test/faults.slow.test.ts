import { randomBytes } from "node:crypto";
import { getEventListeners } from "node:events";
import { mkdtempDisposable } from "node:fs/promises";
import http2 from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { freePort } from "@rollcall/testing/free-port";
import { startProcess } from "@rollcall/testing/start-process";
import { startServer, until } from "@rollcall/testing/start-server";
import { startSilentServer, startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import { createRollcall } from "../src/node/index.ts";
import { watchForLeaks } from "./support/leaks.ts";
import { startResettingProxy } from "./support/resetting-proxy.ts";

test("calls outlive a server that is killed and started again, and no user is lost or made twice", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-client-"));
  const env = { HOST: "127.0.0.1", LOG_LEVEL: "fatal" };
  const options = { port: await freePort(), folder: folder.path, env };
  const leaks = watchForLeaks();
  let server = await startProcess(options);
  const client = createRollcall({
    baseUrl: server.url,
    token: server.token,
    timeoutMs: 120_000,
    retry: { initialDelayMs: 50, maxAttempts: 1_000, maxDelayMs: 500, budget: { maxTokens: 10_000 } },
  });
  const created: string[] = [];
  let isStopping = false;
  const worker = async (name: string) => {
    for (let index = 0; !isStopping; index++) {
      const user = await client.users.create({ email: `${name}-${index}@example.com`, name });
      created.push(user.id);
      await client.users.get(user.id);
    }
  };
  const work = Promise.all(Array.from({ length: 8 }, (_, index) => worker(`worker${index}`)));
  const untilCreated = (count: number) => Promise.race([work, until(() => created.length > count)]);
  await untilCreated(50);
  await server.kill();
  server = await startProcess(options);
  await untilCreated(created.length + 50);
  isStopping = true;
  // None of the calls has failed.
  await work;
  const listed = (await Array.fromAsync(client.users.listAll())).map(({ id }) => id);
  expect(listed.sort()).toEqual(created.sort());
  await client.close();
  await server.kill();
  await leaks.assertNone();
});

test("a reply that is lost after the commit: with its request id, the retry creates no second user", async () => {
  await using server = await startServer();
  let isLosing = false;
  const sockets = new Set<{ resetAndDestroy(): void }>();
  await using proxy = await startTcpProxy(server.port, {
    onResponseBytes(bytes, socket) {
      sockets.add(socket);
      return isLosing ? undefined : bytes;
    },
  });
  const createCalls = () => server.log.filter(({ method }) => String(method).endsWith("/CreateUser"));
  /**
   * Cuts the connections when the server has committed and answered one more create, so that its answer does not
   * arrive.
   */
  const loseNextAnswer = async () => {
    isLosing = true;
    const before = createCalls().length;
    await until(() => createCalls().length > before);
    isLosing = false;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const leaks = watchForLeaks();
  const client = createRollcall({
    baseUrl: proxy.url,
    token: await server.token(),
    retry: { initialDelayMs: 1 },
  });
  const ada = { email: "ada@example.com", name: "Ada" };
  await client.users.list();
  const [user] = await Promise.all([client.users.create(ada), loseNextAnswer()]);
  await until(() => createCalls().length > 1);
  expect(createCalls().map(({ code }) => code)).toEqual(["ok", "ok"]);
  expect((await client.users.list()).users).toEqual([user]);

  // The control: without a request id, the call is not repeated, and its caller can't know its outcome.
  void loseNextAnswer();
  const grace = client.service(UserService).createUser({ email: "grace@example.com", name: "Grace" });
  await expect(grace).rejects.toMatchObject({ code: Code.Unavailable });
  expect(createCalls()).toHaveLength(3);
  expect((await client.users.list()).users).toHaveLength(2);
  await client.close();
  await leaks.assertNone();
});

test("a proxy that resets streams: what was refused goes again at once, the rest is reported", async () => {
  await using server = await startServer();
  const token = await server.token();
  const { NGHTTP2_REFUSED_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_ENHANCE_YOUR_CALM } = http2.constants;
  const leaks = watchForLeaks();
  {
    await using proxy = await startResettingProxy(server.url, NGHTTP2_REFUSED_STREAM, 1);
    await using client = createRollcall({ baseUrl: proxy.url, token, retry: false });
    const { user } = await client.service(UserService).createUser({ email: "ada@example.com", name: "Ada" });
    expect(user?.name).toBe("Ada");
    expect(proxy.resetCount).toBe(1);
  }
  {
    // The call is refused more often than the transport resends it by itself. It is then retried, which is safe for any
    // call.
    await using proxy = await startResettingProxy(server.url, NGHTTP2_REFUSED_STREAM, 4);
    await using client = createRollcall({ baseUrl: proxy.url, token, retry: { initialDelayMs: 1 } });
    await client.service(UserService).createUser({ email: "grace@example.com", name: "Grace" });
    expect(proxy.resetCount).toBe(4);
  }
  {
    await using proxy = await startResettingProxy(server.url, NGHTTP2_INTERNAL_ERROR, 1);
    await using client = createRollcall({ baseUrl: proxy.url, token });
    await expect(client.users.list()).rejects.toMatchObject({ code: Code.Internal });
    expect((await client.users.list()).users).toHaveLength(2);
  }
  {
    await using proxy = await startResettingProxy(server.url, NGHTTP2_ENHANCE_YOUR_CALM, 1);
    await using client = createRollcall({ baseUrl: proxy.url, token, retry: { initialDelayMs: 1 } });
    await expect(client.users.list()).rejects.toMatchObject({ code: Code.ResourceExhausted });
    expect((await client.users.list()).users).toHaveLength(2);
    expect(proxy.resetCount).toBe(1);
  }
  await leaks.assertNone();
});

test("connections that are reset under a stream end it as unavailable", async () => {
  await using server = await startServer({ streams: { resultCount: 1_000, resultIntervalMs: 5 } });
  await using proxy = await startTcpProxy(server.port);
  const leaks = watchForLeaks();
  const client = createRollcall({ baseUrl: proxy.url, token: await server.token() });
  const results: string[] = [];
  const reading = (async () => {
    for await (const { data } of client.streams.query("q")) results.push(data);
  })();
  await until(() => results.length > 3);
  proxy.reset();
  await expect(reading).rejects.toMatchObject({ code: Code.Unavailable });
  // The next call is not affected.
  await client.users.list();
  await client.close();
  await leaks.assertNone();
});

test("a slow consumer holds the server back", async () => {
  // Random bytes, so that compression gains nothing.
  const bigQuery = randomBytes(75_000).toString("base64");
  // Validation is off, since it would refuse such long queries.
  await using server = await startServer({ validation: false, streams: { resultCount: 1_000, resultIntervalMs: 0 } });
  let bytesCount = 0;
  await using proxy = await startTcpProxy(server.port, {
    onResponseBytes(bytes) {
      bytesCount += bytes.length;
      return bytes;
    },
  });
  const leaks = watchForLeaks();
  const client = createRollcall({ baseUrl: proxy.url, token: await server.token() });
  const results = client.streams.query(bigQuery)[Symbol.asyncIterator]();
  await results.next();
  // Wait until nothing more arrives.
  for (let before = -1; before !== bytesCount; ) {
    before = bytesCount;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  // The stream has 100 MB, but only as much has arrived as the windows and buffers in between hold.
  expect(bytesCount).toBeLessThan(10_000_000);
  const whileWaiting = bytesCount;
  for (let index = 0; index < 300; index++) await results.next();
  expect(bytesCount).toBeGreaterThan(whileWaiting + 10_000_000);
  await results.return?.();
  await until(() =>
    server.log.some(({ method, code }) => String(method).endsWith("/ServerStream") && code === "canceled"),
  );
  await client.close();
  await leaks.assertNone();
});

test("a slow server holds an upload back", async () => {
  let isFrozen = false;
  await using server = await startServer();
  await using proxy = await startTcpProxy(server.port, {
    onRequestBytes: (bytes, socket) => {
      if (isFrozen) socket.pause();
      return bytes;
    },
  });
  const client = createRollcall({ baseUrl: proxy.url, token: await server.token(), pool: { closeTimeoutMs: 100 } });
  let produced = 0;
  async function* endless() {
    for (;;) {
      produced += 65_536;
      yield new Uint8Array(65_536);
    }
  }
  const controller = new AbortController();
  const upload = client.streams.upload(endless(), {
    signal: controller.signal,
    onProgress({ sentBytes }) {
      if (sentBytes > 5_000_000) isFrozen = true;
    },
  });
  upload.catch(() => {});
  await until(() => isFrozen);
  for (let before = -1; before !== produced; ) {
    before = produced;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  expect(produced).toBeLessThan(30_000_000);
  controller.abort();
  await expect(upload).rejects.toMatchObject({ code: Code.Canceled });
  // The client closes although its sent data is never read, and long before the server ends the call.
  await client.close();
  expect(server.log.filter(({ msg }) => msg === "call")).toEqual([]);
});

test("cancel at every phase ends the call at once and leaves nothing behind", async () => {
  await using server = await startServer({ streams: { resultCount: 1_000, resultIntervalMs: 5 } });
  await using silent = await startSilentServer();
  const token = await server.token();
  const leaks = watchForLeaks();
  const client = createRollcall({ baseUrl: server.url, token });
  const unreachable = createRollcall({ baseUrl: silent.url, token, pool: { connectTimeoutMs: 300 } });
  const canceled = { code: Code.Canceled };
  const controllers: AbortController[] = [];
  const signal = () => {
    const controller = new AbortController();
    controllers.push(controller);
    return controller.signal;
  };
  const abort = () => controllers.at(-1)?.abort();

  // Abort before the call begins.
  const aborted = AbortSignal.abort();
  await expect(client.users.get("1", { signal: aborted })).rejects.toMatchObject(canceled);
  await expect(Array.fromAsync(client.streams.query("q", { signal: aborted }))).rejects.toMatchObject(canceled);
  await expect(client.streams.upload(new Blob(["x"]), { signal: aborted })).rejects.toMatchObject(canceled);

  // Abort while it connects.
  const connecting = unreachable.users.get("1", { signal: signal() });
  await until(() => silent.openCount > 0);
  abort();
  await expect(connecting).rejects.toMatchObject(canceled);

  // Abort while the request is being sent.
  async function* slowSource() {
    yield new Uint8Array(100_000);
    abort();
    // This source never continues.
    await new Promise(() => {});
  }
  await expect(client.streams.upload(slowSource(), { signal: signal() })).rejects.toMatchObject(canceled);

  // Abort while it waits for the response.
  const waiting = client.users.get("1", { signal: signal() });
  setImmediate(abort);
  await expect(waiting).rejects.toMatchObject(canceled);

  // Abort while the response arrives: by signal, by leaving the loop, and in a chat.
  const reading = async () => {
    for await (const { sequence } of client.streams.query("q", { signal: signal() })) if (sequence === 3) abort();
  };
  await expect(reading()).rejects.toMatchObject(canceled);
  for await (const { sequence } of client.streams.query("q")) if (sequence === 3) break;
  const chat = client.streams.chat({ signal: signal() });
  await chat.send("Hello");
  const replies = chat[Symbol.asyncIterator]();
  expect((await replies.next()).value).toBe("Echo: Hello");
  abort();
  await expect(replies.next()).rejects.toMatchObject(canceled);
  await expect(chat.send("late")).rejects.toMatchObject(canceled);
  {
    using left = client.streams.chat();
    await left.send("Hello");
  }

  for (const controller of controllers) expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  expect(getEventListeners(aborted, "abort")).toHaveLength(0);
  // The server has seen the end of each call.
  const endedAt = (method: string) =>
    server.log.filter((line) => line.method === `stream.v1.StreamService/${method}` && line.code === "canceled");
  await until(() => endedAt("ClientStream").length === 1 && endedAt("ServerStream").length === 2);
  // A canceled chat must not look as if it had ended normally.
  await until(() => endedAt("BidirectionalStream").length >= 1);
  await client.close();
  await unreachable.close();
  await until(() => silent.openCount === 0);
  await leaks.assertNone();
});

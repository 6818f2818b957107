import { Code, createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { createAuthInterceptor, createFetchTransport, createRollcall } from "../src/index.ts";
import { closable } from "../src/transports/closable.ts";

const closedError = { code: Code.Canceled, rawMessage: "the client is closed" };

/** Starts to close, and notes when that is done. */
function startClosing(client: { close(): Promise<void> }) {
  const closing = { isDone: false, done: client.close() };
  void closing.done.then(() => {
    closing.isDone = true;
  });
  return closing;
}

test.each([
  ["a stream over fetch", "connect"],
  ["a stream over a WebSocket", "grpc-websockets"],
] as const)("close lets %s finish, and refuses further calls", async (_name, protocol) => {
  await using server = await startServer({ streams: { resultCount: 5, resultIntervalMs: 10 } });
  const client = createRollcall({ baseUrl: server.url, token: await server.token(), protocol });
  const results = client.streams.query("q")[Symbol.asyncIterator]();
  await results.next();
  const closing = startClosing(client);
  await expect(client.users.list()).rejects.toMatchObject(closedError);
  await expect(Array.fromAsync(client.streams.query("q"))).rejects.toMatchObject(closedError);
  for (let sequence = 1; sequence < 5; sequence++) {
    expect(await results.next()).toMatchObject({ value: { sequence } });
    expect(closing.isDone).toBe(false);
  }
  expect((await results.next()).done).toBe(true);
  await closing.done;
});

test("close lets a unary call finish, and an upload", async () => {
  await using server = await startServer();
  const gate = Promise.withResolvers<void>();
  let beganCount = 0;
  const client = createRollcall({
    baseUrl: server.url,
    token: await server.token(),
    interceptors: [
      (next) => async (request) => {
        beganCount += 1;
        await gate.promise;
        return next(request);
      },
    ],
  });
  const call = client.users.list();
  const upload = client.streams.upload(new Blob(["abc"]));
  // The code of uploads is loaded with the first one.
  await until(() => beganCount === 2);
  const closing = startClosing(client);
  await expect(client.users.list()).rejects.toMatchObject(closedError);
  expect(closing.isDone).toBe(false);
  gate.resolve();
  expect((await call).users).toEqual([]);
  expect(await upload).toMatchObject({ totalBytes: 3 });
  await closing.done;
});

test.each(["connect", "grpc-web", "grpc-websockets"] as const)(
  "close cuts a watch that lasts too long, by %s",
  async (protocol) => {
    await using server = await startServer();
    const interceptors = [createAuthInterceptor({ token: await server.token() })];
    const transport = closable(createFetchTransport({ baseUrl: server.url, protocol, interceptors }), 50);
    const watch = createClient(UserService, transport).watchUsers({ includeExisting: true })[Symbol.asyncIterator]();
    expect(await watch.next()).toMatchObject({ value: { event: { case: "synced" } } });
    const next = watch.next();
    next.catch(() => {});
    await transport.close();
    await expect(next).rejects.toMatchObject(closedError);
  },
);

test("close does not wait for calls that are aborted or left, even if nobody reads their end", async () => {
  await using server = await startServer();
  const interceptors = [createAuthInterceptor({ token: await server.token() })];
  // Longer than the test may last.
  const transport = closable(createFetchTransport({ baseUrl: server.url, interceptors }), 600_000);
  const { watchUsers } = createClient(UserService, transport);
  const controller = new AbortController();
  const watches = [
    watchUsers({ includeExisting: true }, { signal: controller.signal }),
    watchUsers({ includeExisting: true }),
  ];
  const [aborted, left] = watches.map((watch) => watch[Symbol.asyncIterator]());
  await aborted?.next();
  await left?.next();
  controller.abort();
  await left?.return?.();
  const late = watchUsers({}, { signal: controller.signal })[Symbol.asyncIterator]().next();
  await expect(late).rejects.toMatchObject({ code: Code.Canceled });
  await transport.close();
  await transport.close();
});

import { Code, type ConnectError } from "@connectrpc/connect";
import { startServer, until } from "@rollcall/testing/start-server";
import { startSilentServer, type TcpServer } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import { RequestNotSentError } from "../src/index.ts";
import { createRollcall, type NodeRollcallOptions, type PoolOptions } from "../src/node/index.ts";
import { startBareServer } from "./support/bare-server.ts";
import { checkEachForLeaks, watchForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

for (const scheme of ["http", "https"]) {
  for (const wire of [{ protocol: "grpc" }, { protocol: "connect", httpVersion: "1.1" }] as const) {
    // Over HTTP/1.1 in plaintext, a connection is open as soon as it is accepted.
    if (scheme === "http" && wire.protocol === "connect") continue;
    const connect = ({ url }: TcpServer, pool: PoolOptions) =>
      createRollcall({ baseUrl: url.replace("http", scheme), retry: false, timeoutMs: 20_000, pool, ...wire });

    test(`a server that never answers the handshake ends by the connect timeout: ${scheme}, ${wire.protocol}`, async () => {
      await using silent = await startSilentServer();
      const leaks = watchForLeaks();
      const client = connect(silent, { connectTimeoutMs: 100, waitTimeoutMs: 0 });
      const error = await client.users.get("1").catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: expect.stringMatching(/within 100 ms/) });
      expect((error as ConnectError).cause).toBeInstanceOf(RequestNotSentError);
      await client.close();
      await until(() => silent.openCount === 0);
      await leaks.assertNone();
    });

    test(`close gives up a connection that is still opening: ${scheme}, ${wire.protocol}`, async () => {
      await using silent = await startSilentServer();
      const leaks = watchForLeaks();
      // Longer than the test may last.
      const client = connect(silent, { connectTimeoutMs: 600_000, closeTimeoutMs: 600_000 });
      const controller = new AbortController();
      const canceled = client.users.get("1", { signal: controller.signal });
      const waiting = client.users.get("1").catch((reason: unknown) => reason);
      await until(() => silent.openCount >= 1);
      controller.abort();
      await expect(canceled).rejects.toMatchObject({ code: Code.Canceled });
      await client.close();
      expect(await waiting).toMatchObject({ code: Code.Canceled });
      await until(() => silent.openCount === 0);
      await leaks.assertNone();
    });
  }
}

test("the check for leaks sees a connection that is open", async () => {
  await using server = await startBareServer();
  const leaks = watchForLeaks();
  // There are many clients, since timers and closing sockets of earlier tests may end meanwhile.
  const clients = Array.from({ length: 20 }, () => createRollcall({ baseUrl: server.url }));
  for (const client of clients) await client.users.get("1");
  expect(leaks.openCount()).toBeGreaterThan(0);
  for (const client of clients) await client.close();
  await leaks.assertNone();
});

test("close lets calls finish, then nothing is left open", async () => {
  await using server = await startBareServer();
  const leaks = watchForLeaks();
  const client = createRollcall({ baseUrl: server.url });
  const call = client.users.get("wait");
  await until(() => server.waiting === 1);
  const closed = client.close();
  await expect(client.users.get("1")).rejects.toMatchObject({ code: Code.Canceled });
  server.openGate();
  await call;
  await closed;
  await until(() => server.sessions.size === 0);
  await leaks.assertNone();
});

const wires = [
  { protocol: "grpc" },
  { protocol: "connect" },
  { protocol: "connect", httpVersion: "1.1" },
  { protocol: "grpc-web", interceptors: [(next) => async (request) => next(request)] },
] satisfies Partial<NodeRollcallOptions>[];

test.each(wires)("close lets calls finish that were made just before: %j", async (wire) => {
  await using server = await startServer();
  const options = { baseUrl: server.url, token: await server.token(), ...wire };
  const createLast = async (index: number) => {
    await using client = createRollcall(options);
    await client.users.list();
    return client.users.create({ email: `${index}@example.com`, name: "Last" });
  };
  expect(await createLast(1)).toMatchObject({ name: "Last" });
  const client = createRollcall(options);
  // Over HTTP/1.1, each of the calls below needs a connection of its own.
  await Promise.all([client.users.list(), client.users.list()]);
  const calls = [
    client.users.create({ email: "2@example.com", name: "Last" }),
    Array.fromAsync(client.streams.query("x")),
  ];
  const closed = client.close();
  const late = [client.users.list(), Array.fromAsync(client.streams.query("x"))];
  for (const call of late)
    await expect(call).rejects.toMatchObject({ code: Code.Canceled, rawMessage: "the client is closed" });
  expect(await Promise.all(calls)).toMatchObject([{ name: "Last" }, { length: 10 }]);
  await closed;
});

test("close cuts calls that last too long", async () => {
  await using server = await startBareServer();
  const client = createRollcall({ baseUrl: server.url, retry: false, pool: { closeTimeoutMs: 50 } });
  const call = client.users.get("wait");
  call.catch(() => {});
  await until(() => server.waiting === 1);
  await client.close();
  await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
});

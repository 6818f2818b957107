import { randomBytes } from "node:crypto";
import { getEventListeners, once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { resumeStream, UnauthorizedError } from "../src/index.ts";
import { createRollcall } from "../src/node/index.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

/** Starts a server whose stream begins after the sequence number in its query, and fails at chosen results. */
async function startResumable(fail: (sequence: number) => ConnectError | undefined) {
  const opened: number[] = [];
  const routes = (router: ConnectRouter) =>
    router.service(StreamService, {
      async *serverStream({ query }) {
        opened.push(Number(query));
        for (let sequence = Number(query) + 1; sequence < 10; sequence++) {
          const error = fail(sequence);
          if (error) throw error;
          yield { sequence, data: `${sequence}` };
        }
      },
    });
  const server = http2.createServer(connectNodeAdapter({ routes }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = createRollcall({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  return {
    opened,
    read: (maxAttempts?: number) =>
      resumeStream({
        open: (cursor: number | undefined, signal) =>
          client.service(StreamService).serverStream({ query: `${cursor ?? -1}` }, { signal }),
        cursorOf: ({ sequence }) => sequence,
        retry: { initialDelayMs: 1, maxAttempts },
      }),
    async [Symbol.asyncDispose]() {
      await client.close();
      server.close();
    },
  };
}

test("a stream that offers resumption goes on where it broke, without gap or repetition", async () => {
  const failAt = new Set([3, 4, 8]);
  await using server = await startResumable((sequence) =>
    failAt.delete(sequence) ? new ConnectError("for now", Code.Unavailable) : undefined,
  );
  const sequences = (await Array.fromAsync(server.read())).map(({ sequence }) => sequence);
  expect(sequences).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(server.opened).toEqual([-1, 2, 3, 7]);
});

test("resumption gives up after failures without progress, and at once for a lasting error", async () => {
  await using stuck = await startResumable((sequence) =>
    sequence === 5 ? new ConnectError("for now", Code.Unavailable) : undefined,
  );
  await expect(Array.fromAsync(stuck.read(3))).rejects.toMatchObject({ code: Code.Unavailable });
  expect(stuck.opened).toEqual([-1, 4, 4]);
  await using gone = await startResumable(() => new ConnectError("for good", Code.NotFound));
  await expect(Array.fromAsync(gone.read())).rejects.toMatchObject({ code: Code.NotFound });
  expect(gone.opened).toEqual([-1]);
});

test("chat is full duplex: many messages before, between and after replies", async () => {
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  const chat = client.streams.chat();
  const count = 1_000;
  const sending = (async () => {
    for (let index = 0; index < count; index++) await chat.send(`${index}`);
    chat.end();
  })();
  const replies = await Array.fromAsync(chat);
  await sending;
  expect(replies).toEqual(Array.from({ length: count }, (_, index) => `Echo: ${index}`));
});

test("chat: who does not read is held back, and goes on when he does", async () => {
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  using chat = client.streams.chat();
  // Random bytes, so that compression gains nothing.
  const message = randomBytes(37_500).toString("base64");
  let sent = 0;
  const sending = (async () => {
    for (; sent < 400; sent++) await chat.send(message);
    chat.end();
  })();
  for (let before = -1; before !== sent; ) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(sent).toBeLessThan(300);
  let replies = 0;
  for await (const _ of chat) replies += 1;
  await sending;
  expect(replies).toBe(400);
});

test("chat: replies that nobody reads are held back by their size, too", async () => {
  const count = 60;
  let sent = 0;
  // Random bytes, so that compression gains little. There is room for 64 replies, but not of this size.
  const reply = randomBytes(750_000).toString("base64");
  const routes = (router: ConnectRouter) =>
    router.service(StreamService, {
      async *bidirectionalStream() {
        for (; sent < count; sent++) yield { reply };
      },
    });
  const server = http2.createServer(connectNodeAdapter({ routes }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  {
    await using client = createRollcall({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    using chat = client.streams.chat();
    for (let before = 0; sent === 0 || before !== sent; ) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(sent).toBeLessThan(20);
    expect(await Array.fromAsync(chat, ({ length }) => length)).toEqual(Array(count).fill(reply.length));
  }
  server.close();
});

test("chat: what was sent before the end arrives, however much of it waits", async () => {
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  const chat = client.streams.chat();
  const text = "x".repeat(400_000);
  const sends = Array.from({ length: 80 }, () => chat.send(text));
  chat.end();
  await expect(chat.send("late")).rejects.toMatchObject({ code: Code.Canceled });
  expect(await Array.fromAsync(chat)).toHaveLength(80);
  await Promise.all(sends);
});

test("a hook that throws ends its call, so that nothing is left to close", async () => {
  await using server = await startServer({ auth: false, streams: { resultCount: 1_000_000 } });
  const client = createRollcall({ baseUrl: server.url, pool: { closeTimeoutMs: 600_000 } });
  const onHeader = () => {
    throw new Error("hook");
  };
  const results = client.service(StreamService).serverStream({ query: "q" }, { onHeader });
  await expect(Array.fromAsync(results)).rejects.toThrow("hook");
  await client.close();
});

test("a stream that has arrived, but is not read, keeps no listener on its caller's signal", async () => {
  await using server = await startServer({ auth: false });
  await using client = createRollcall({ baseUrl: server.url });
  const { signal } = new AbortController();
  const streams = Array.from({ length: 5 }, () => client.streams.query("q", { signal })[Symbol.asyncIterator]());
  for (const stream of streams) await stream.next();
  await until(() => getEventListeners(signal, "abort").length === 0);
  for (const stream of streams) await stream.return?.();
});

test("chat: a refusal reaches the reader and the writer", async () => {
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url });
  const chat = client.streams.chat();
  await expect(Array.fromAsync(chat)).rejects.toThrow(UnauthorizedError);
  await expect(chat.send("Hello")).rejects.toThrow(UnauthorizedError);
});

import type { Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ServerStreamResponseSchema } from "@rollcall/gen/stream/v1/stream";
import { envelope } from "@rollcall/shared/envelope";
import { startServer, until } from "@rollcall/testing/start-server";
import { startTcpProxy, startTcpServer } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import { createRollcall } from "../src/node/index.ts";
import { checkEachForLeaks } from "./support/leaks.ts";

checkEachForLeaks();

const wire = { protocol: "connect", httpVersion: "1.1", retry: false, timeoutMs: 20_000 } as const;
/** GetUserResponse with an empty user. */
const USER = "\n\0";
const PROTO = "HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\n";

const answer = (body: string, head = PROTO) => `${head}content-length: ${body.length}\r\n\r\n${body}`;

/** Starts a server that answers the first bytes of each connection, and reads no further. */
const startAnswering = (text: () => string) =>
  startTcpServer((socket) => {
    socket.once("data", (bytes: Buffer) => {
      // It does not answer a TLS handshake.
      if (!bytes.toString("latin1").startsWith("POST ")) return;
      socket.pause().write(text(), "latin1");
    });
  });

test("answers that come before the request's end, from servers that read no further, cost no connection its place", async () => {
  let text = answer("<html>", "HTTP/1.1 413 Too Large\r\ncontent-type: text/html\r\n");
  await using server = await startAnswering(() => text);
  await using client = createRollcall({ baseUrl: server.url, ...wire, pool: { size: 1 } });
  // More than the buffers of the kernel.
  const large = "a".repeat(12 * 1_024 ** 2);
  await expect(client.users.create({ email: "a@example.com", name: large })).rejects.toMatchObject({
    code: Code.ResourceExhausted,
  });
  const upload = client.streams.upload(new Blob([large]), { timeoutMs: 20_000 });
  await expect(upload).rejects.toMatchObject({ code: Code.ResourceExhausted });
  text = answer(USER);
  expect(await client.users.get("1")).toMatchObject({ id: "" });
});

test("a page of a proxy is read if it is short, so that its connection can be used again", async () => {
  const page = answer("<html>", "HTTP/1.1 503 Unavailable\r\ncontent-type: text/html\r\n");
  await using server = await startTcpServer((socket) => socket.on("data", () => socket.write(page, "latin1")));
  await using client = createRollcall({ baseUrl: server.url, ...wire });
  for (let count = 0; count < 5; count++) {
    await expect(client.users.get("1")).rejects.toMatchObject({ code: Code.Unavailable });
    await expect(Array.fromAsync(client.streams.query("q"))).rejects.toMatchObject({ code: Code.Unavailable });
  }
  expect(server.acceptedCount).toBe(1);
});

test("the control: large requests that are read whole keep their connection", async () => {
  await using server = await startServer({ auth: false });
  await using proxy = await startTcpProxy(server.port);
  await using client = createRollcall({ baseUrl: proxy.url, ...wire, pool: { size: 1 } });
  const name = "a".repeat(1_024 ** 2);
  for (let count = 0; count < 20; count++) {
    await expect(client.users.create({ email: "a@example.com", name })).rejects.toMatchObject({
      code: Code.ResourceExhausted,
    });
    await client.streams.upload(new Blob([name]));
  }
  expect(proxy.acceptedCount).toBe(1);
});

test("bytes after the end of an answer are not part of it, and their connection is not used again", async () => {
  await using server = await startAnswering(() => `${answer(USER)}more`);
  await using client = createRollcall({ baseUrl: server.url, ...wire });
  expect(await client.users.get("1")).toMatchObject({ id: "" });
  await until(() => server.openCount === 0);
});

test("an answer that is broken HTTP is an internal error, and nobody asks whether the server speaks TLS", async () => {
  for (const head of ["content-length: -1", "content-length: 2\r\ncontent-length: 3", `x: ${"y".repeat(100_000)}`]) {
    await using server = await startAnswering(() => `${PROTO}${head}\r\n\r\n${USER}`);
    await using client = createRollcall({ baseUrl: server.url, ...wire });
    await expect(client.users.get("1")).rejects.toMatchObject({ code: Code.Internal });
    expect(server.acceptedCount).toBe(1);
  }
});

test("a connection that another protocol takes over is lost, and nobody asks whether the server speaks TLS", async () => {
  const upgrade = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
  await using server = await startAnswering(() => upgrade);
  await using client = createRollcall({ baseUrl: server.url, ...wire });
  await expect(client.users.get("1")).rejects.toMatchObject({ code: Code.Unavailable });
  expect(server.acceptedCount).toBe(1);
});

test("the rest of an answer that has arrived whole can be read after its connection has ended", async () => {
  const message = (bytes: number) => {
    const data = toBinary(ServerStreamResponseSchema, create(ServerStreamResponseSchema, { data: "a".repeat(bytes) }));
    return Buffer.from(envelope(0, data)).toString("latin1");
  };
  // The client holds its server back while more than 64 KiB of messages wait for their reader.
  const begin = message(1) + message(70_000);
  const rest = `${message(1)}\x02\0\0\0\x02{}`;
  const head = "HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\nconnection: close\r\n";
  let socket: Socket | undefined;
  await using server = await startTcpServer((accepted) => {
    socket = accepted;
    const text = answer(begin + rest, head);
    accepted.once("data", () => accepted.write(text.slice(0, -rest.length), "latin1"));
  });
  await using client = createRollcall({ baseUrl: server.url, ...wire });
  const results = client.streams.query("q")[Symbol.asyncIterator]();
  expect((await results.next()).done).toBe(false);
  socket?.end(rest, "latin1");
  await until(() => server.openCount === 0);
  expect((await results.next()).done).toBe(false);
  expect((await results.next()).done).toBe(false);
  expect((await results.next()).done).toBe(true);
});

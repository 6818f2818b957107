import { freePort } from "@rollcall/testing/free-port";
import { startServer } from "@rollcall/testing/start-server";
import { startTcpProxy } from "@rollcall/testing/tcp-proxy";
import { expect, test } from "vitest";
import { createRollcall, type Rollcall } from "../src/index.ts";
import { createRollcall as createNodeRollcall } from "../src/node/index.ts";

/** Makes a call of a kind that uses this transport: a server stream, or a chat. */
type Open = (client: Rollcall) => AsyncIterable<unknown>;

interface Way {
  create(options: { baseUrl: string; token: string }): Rollcall;
  open: Open;
}

const query: Open = (client) => client.streams.query("q");
const chat: Open = (client) => {
  const conversation = client.streams.chat();
  conversation.send("Hello").catch(() => {});
  return conversation;
};
const pool = { waitTimeoutMs: 0 };

const ways: Record<string, Way> = {
  "fetch, Connect": { create: (options) => createRollcall(options), open: query },
  "fetch, gRPC-Web": { create: (options) => createRollcall({ ...options, protocol: "grpc-web" }), open: query },
  WebSocket: { create: (options) => createRollcall(options), open: chat },
  "Node, gRPC": { create: (options) => createNodeRollcall({ ...options, pool }), open: chat },
  "Node, Connect over HTTP/1.1": {
    create: (options) => createNodeRollcall({ ...options, pool, protocol: "connect", httpVersion: "1.1" }),
    open: query,
  },
};

/** Returns the code and words of the error that ends a stream; undefined if it ends normally. */
async function endOf(messages: AsyncIterable<unknown>, onMessage = () => {}): Promise<string | undefined> {
  try {
    for await (const _ of messages) onMessage();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

test.each(Object.entries(ways))("over %s, faults have the same words", async (_name, { create, open }) => {
  await using server = await startServer({ streams: { resultIntervalMs: 10, resultCount: 1_000 } });
  await using proxy = await startTcpProxy(server.port);
  const token = await server.token();

  await using lost = create({ baseUrl: proxy.url, token });
  expect(await endOf(open(lost), () => proxy.reset())).toMatch(/the connection( to http:\S+)? was lost$/);

  await using late = create({ baseUrl: server.url, token });
  await expect(late.users.list({}, { timeoutMs: 1 })).rejects.toThrow("the operation timed out");

  await using nowhere = create({ baseUrl: `http://127.0.0.1:${await freePort()}`, token });
  expect(await endOf(open(nowhere))).toMatch(/the server can't be reached|connect ECONNREFUSED/);

  await using stranger = create({ baseUrl: server.url, token: "" });
  expect(await endOf(open(stranger))).toMatch(/missing authorization token$/);

  const closed = create({ baseUrl: server.url, token });
  await closed.close();
  expect(await endOf(open(closed))).toMatch(/the client is closed$/);
});

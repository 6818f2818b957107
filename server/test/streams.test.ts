import { createHash } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { describe, expect, test } from "vitest";
import { createBrowserTransport } from "../../client/src/browser-transport.ts";
import { Streams } from "../src/service/streams.ts";
import { startServer } from "./harness.ts";

const MIB = 1024 ** 2;

// What is garbage is not held: without a collection, usage says how lazy the collector is.
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

test("a query gives ten results, unless it is set up otherwise", async () => {
  const results = await Array.fromAsync(new Streams().search("q", new AbortController().signal));
  expect(results).toEqual(
    Array.from({ length: 10 }, (_, sequence) => ({ data: `Result ${sequence} for query: q`, sequence })),
  );
  const few = new Streams({ resultCount: 2, resultIntervalMs: 0 }).search("q", new AbortController().signal);
  expect(await Array.fromAsync(few)).toHaveLength(2);
});

test("a query stops at once when it is aborted", async () => {
  const controller = new AbortController();
  const results = new Streams({ resultIntervalMs: 3_600_000 }).search("q", controller.signal)[Symbol.asyncIterator]();
  await results.next();
  const next = results.next();
  controller.abort();
  await expect(next).rejects.toThrow("aborted");
});

describe.each([
  ["HTTP/1.1", (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  ["HTTP/2", (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "2" })],
  ["a WebSocket", (baseUrl: string) => createBrowserTransport({ baseUrl })],
])("an upload over %s", (_, createTransport) => {
  test("of any size takes no more memory than a small one", async () => {
    await using server = await startServer();
    const streams = createClient(StreamService, createTransport(server.url));
    const chunk = new Uint8Array(64 * 1024).fill(7);
    const usage = () => {
      collectGarbage();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const before = usage();
    let most = 0;
    const hash = createHash("sha256");
    const chunks = (async function* () {
      for (let sent = 0; sent < 256 * MIB; sent += chunk.length) {
        hash.update(chunk);
        if (sent % (16 * MIB) === 0) most = Math.max(most, usage() - before);
        yield { chunk };
      }
    })();
    const receipt = await streams.clientStream(chunks, { headers: await server.auth() });
    expect(receipt).toMatchObject({ totalBytes: BigInt(256 * MIB), checksum: hash.digest("hex") });
    expect(most).toBeLessThan(128 * MIB);
  });

  test("that is empty has the checksum of nothing", async () => {
    await using server = await startServer();
    const streams = createClient(StreamService, createTransport(server.url));
    const receipt = await streams.clientStream((async function* () {})(), { headers: await server.auth() });
    expect(receipt).toMatchObject({ totalBytes: 0n, checksum: createHash("sha256").digest("hex") });
  });
});

test("a chat goes on for as long as its client does, and ends with it", async () => {
  await using server = await startServer();
  const streams = createClient(StreamService, createConnectTransport({ baseUrl: server.url, httpVersion: "2" }));
  const replies: string[] = [];
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const messages = (async function* () {
    yield { message: "one" };
    // The second message is sent only once the first one's reply is there.
    await answered;
    yield { message: "" };
  })();
  for await (const { reply } of streams.bidirectionalStream(messages, { headers: await server.auth() })) {
    replies.push(reply);
    answer();
  }
  expect(replies).toEqual(["Echo: one", "Echo: "]);
});

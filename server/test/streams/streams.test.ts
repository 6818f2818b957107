import { createHash } from "node:crypto";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { startServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { Streams } from "../../src/service/streams.ts";
import { connect, failure } from "../support/connect.ts";
import { uploadTransports } from "./support/upload-memory.ts";

test("a query gives ten results, unless it is set up otherwise", async () => {
  const results = await Array.fromAsync(new Streams().search("q", new AbortController().signal));
  expect(results).toEqual(
    Array.from({ length: 10 }, (_, sequence) => ({ data: `Result ${sequence} for query: q`, sequence })),
  );
  const few = new Streams({ resultCount: 2, resultIntervalMs: 0 }).search("q", new AbortController().signal);
  expect(await Array.fromAsync(few)).toHaveLength(2);
});

test("results without an interval wait for no timer", async () => {
  let hasTurned = false;
  setImmediate(() => {
    hasTurned = true;
  });
  await Array.fromAsync(new Streams({ resultIntervalMs: 0 }).search("q", new AbortController().signal));
  expect(hasTurned).toBe(false);
});

test("a query stops at once when it is aborted", async () => {
  const controller = new AbortController();
  const results = new Streams({ resultIntervalMs: 3_600_000 }).search("q", controller.signal)[Symbol.asyncIterator]();
  await results.next();
  const next = results.next();
  controller.abort();
  await expect(next).rejects.toThrow("aborted");
});

describe.each(uploadTransports)("an upload over %s", (_, createTransport) => {
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
    // The second message is sent only after the first one's reply has arrived.
    await answered;
    yield { message: "" };
  })();
  for await (const { reply } of streams.bidirectionalStream(messages, { headers: await server.auth() })) {
    replies.push(reply);
    answer();
  }
  expect(replies).toEqual(["Echo: one", "Echo: "]);
});

test("an empty query is named as such", async () => {
  await using server = await startServer();
  const { streams } = await connect(server);
  const call = Array.fromAsync(streams.serverStream({ query: "" }));
  const expected = { code: "InvalidArgument", message: "query is required", fields: ["query"] };
  expect(await failure(call)).toMatchObject(expected);
});

import http2 from "node:http2";
import { gzipSync } from "node:zlib";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { errorOf } from "@rollcall/testing/matrix";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { grpcStatusOf } from "./support/grpc-status-of.ts";

describe("the message size", () => {
  const limits = { maxMessageBytes: 4_096 };

  async function upload(server: TestServer, chunkBytes: number) {
    const streams = createClient(StreamService, createGrpcTransport({ baseUrl: server.url }));
    const requests = (async function* () {
      yield { chunk: new Uint8Array(chunkBytes) };
    })();
    return streams.clientStream(requests, { headers: await server.auth() });
  }

  test("over the limit is resource_exhausted, below it is not", async () => {
    await using server = await startServer(limits);
    expect((await upload(server, 4_000)).totalBytes).toBe(4_000n);
    expect(await errorOf(upload(server, 5_000))).toMatchObject({ code: Code.ResourceExhausted });
  });

  test("is measured after decompression, too", async () => {
    await using server = await startServer(limits);
    const body = JSON.stringify({ email: "ada@example.com", name: "A".repeat(100_000) });
    const compressed = gzipSync(body);
    expect(compressed.length).toBeLessThan(4_096);
    const response = await fetch(`${server.url}/user.v1.UserService/CreateUser`, {
      method: "POST",
      headers: { ...(await server.auth()), "content-type": "application/json", "content-encoding": "gzip" },
      body: compressed,
    });
    expect(await response.json()).toMatchObject({ code: "resource_exhausted" });
  });

  test.each([0x4000_0000, 0xffff_ffff])(
    "that an envelope claims, %i, is refused before that much is allocated",
    async (claim) => {
      await using server = await startServer(limits);
      const client = http2.connect(server.url);
      const before = process.memoryUsage().arrayBuffers;
      const stream = client.request({
        ":method": "POST",
        ":path": "/stream.v1.StreamService/ClientStream",
        "content-type": "application/grpc",
        te: "trailers",
        ...(await server.auth()),
      });
      const head = Buffer.alloc(5);
      head.writeUInt32BE(claim, 1);
      stream.write(head);
      stream.resume();
      expect(await grpcStatusOf(stream)).toBe(String(Code.ResourceExhausted));
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 ** 2);
      client.destroy();
    },
  );
});

test("an upload over the total is resource_exhausted; one of just that size is not", async () => {
  await using server = await startServer({ streams: { maxUploadBytes: 100_000 } });
  const streams = createClient(StreamService, createGrpcTransport({ baseUrl: server.url }));
  const headers = await server.auth();
  const upload = (chunks: number) =>
    streams.clientStream(
      (async function* () {
        for (let i = 0; i < chunks; i++) yield { chunk: new Uint8Array(10_000) };
      })(),
      { headers },
    );
  expect((await upload(10)).totalBytes).toBe(100_000n);
  expect(await errorOf(upload(1_000))).toMatchObject({
    code: Code.ResourceExhausted,
    rawMessage: "upload is larger than 100000 bytes",
  });
});

import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Metadata } from "@grpc/grpc-js";
import { RetryInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { GrpcJsClient } from "@rollcall/testing/grpc-js";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { begin, CHAT, say } from "@rollcall/testing/raw/web-socket";
import { startServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

const probe = withProbe({
  unary: () => ({}),
  async *bidiStream(messages) {
    for await (const message of messages) yield message;
  },
  async clientStream(messages) {
    let count = 0;
    for await (const _ of messages) count += 1;
    return { value: String(count) };
  },
});

describe.each(["direct", "stock"] as const)("by the %s carrier, a principal", (rpcEngine) => {
  test("has so many streams open at once, over all its connections, and their places back when they end", async () => {
    await using server = await startServer({ ...probe, rpcEngine, streamLimit: { maxOpen: 2 } });
    const metadataOf = async (subject: string) => Metadata.fromHttp2Headers({ ...(await server.auth({ subject })) });
    using client = new GrpcJsClient(server.port, await metadataOf("one"));
    const open = async (opener: GrpcJsClient) => {
      const stream = opener.bidiStream(ProbeService.method.bidiStream);
      const outcome = await new Promise<string>((resolve) => {
        stream
          .on("data", () => resolve("open"))
          .on("error", ({ details }: Error & { details: string }) => resolve(details));
        stream.write({ $typeName: "google.protobuf.StringValue", value: "x" });
      });
      return { stream, outcome };
    };
    const first = await open(client);
    const streams = [first];
    expect(first.outcome).toBe("open");
    streams.push(await open(client));
    expect(streams[1]?.outcome).toBe("open");
    expect((await open(client)).outcome).toBe("too many open streams");
    // Calls do not count as streams, and other callers have their own limit.
    await client.unary(ProbeService.method.unary, {});
    using other = new GrpcJsClient(server.port, await metadataOf("two"));
    streams.push(await open(other));
    expect(streams[2]?.outcome).toBe("open");
    // One stream ends by itself, and its client drops the other.
    first.stream.end();
    streams[1]?.stream.cancel();
    await until(() => server.log.filter(({ msg, principal }) => msg === "call" && principal === "one").length === 4);
    for (let i = 0; i < 2; i++) expect((await open(client)).outcome).toBe("open");
    expect((await open(client)).outcome).toBe("too many open streams");
  });

  test("has as many by WebSocket", async () => {
    await using server = await startServer({ ...probe, rpcEngine, streamLimit: { maxOpen: 2 } });
    const open = await Promise.all([begin(server, CHAT), begin(server, CHAT)]);
    for (const { ws, received } of open) {
      ws.send(say("x"));
      await until(() => received.length > 0);
    }
    const third = await begin(server, CHAT);
    expect((await third.closed).status).toBe(Code.ResourceExhausted);
    for (const { ws } of open) ws.terminate();
  });

  test("sends so many messages in a time, in all its streams", async () => {
    await using server = await startServer({ ...probe, rpcEngine, streamLimit: { messagesPerSecond: 20 } });
    const headers = await server.auth();
    const send = async function* (count: number) {
      for (let i = 0; i < count; i++) yield { value: "x" };
    };
    const { url: baseUrl } = server;
    for (const transport of [
      createGrpcTransport({ baseUrl }),
      createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
      createConnectTransport({ baseUrl, httpVersion: "2" }),
    ]) {
      const client = createClient(ProbeService, transport);
      // On a very busy machine, a few messages may take so long that their rate is allowed.
      const error: ConnectError = await client
        .clientStream(send(10_000), { headers })
        .then(() => expect.unreachable(), ConnectError.from);
      expect(error).toMatchObject({ code: Code.ResourceExhausted, rawMessage: "too many messages" });
      expect(error.findDetails(RetryInfoSchema)).toHaveLength(1);
      const auth = await server.auth({ subject: crypto.randomUUID() });
      expect(await client.clientStream(send(30), { headers: auth })).toMatchObject({ value: "30" });
    }
  });
});

test("without the settings there is no limit", async () => {
  await using server = await startServer(probe);
  const client = createClient(ProbeService, createGrpcTransport({ baseUrl: server.url }));
  const headers = await server.auth();
  const messages = (async function* () {
    for (let i = 0; i < 500; i++) yield { value: "x" };
  })();
  expect(await client.clientStream(messages, { headers })).toMatchObject({ value: "500" });
});

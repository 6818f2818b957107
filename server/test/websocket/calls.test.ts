import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { createWritableIterable } from "@connectrpc/connect/protocol";
import { createFetchTransport } from "@rollcall/client";
import { ErrorInfoSchema } from "@rollcall/gen/google/rpc/error_details";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { errorOf } from "@rollcall/testing/matrix";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { startServer as startOn, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import type { AppOptions } from "../../src/app-options.ts";

describe.each(["direct", "stock"] as const)("the %s carrier", (rpcEngine) => {
  const startServer = (options: Partial<AppOptions> = {}) => startOn({ rpcEngine, ...options });

  /** Connects clients like a page's. Node's own WebSocket and fetch stand in for the browser's. */
  function clientsOf(server: TestServer) {
    const transport = createFetchTransport({ baseUrl: server.url });
    return { streams: createClient(StreamService, transport), users: createClient(UserService, transport) };
  }

  /** Returns requests that a test sends one by one. */
  function conversation() {
    const requests = createWritableIterable<{ message: string }>();
    return {
      requests,
      // A write resolves when the message is read. A message that is never read shows elsewhere in the test.
      send: (message: string) => void requests.write({ message }).catch(() => {}),
      end: () => requests.close(),
    };
  }

  async function* chunks(count: number, bytes: number) {
    const chunk = new Uint8Array(bytes).fill(7);
    for (let sent = 0; sent < count; sent++) yield { chunk };
  }

  describe("calls of all four kinds", () => {
    test("each gets its answer through one transport", async () => {
      await using server = await startServer();
      const { streams, users } = clientsOf(server);
      const headers = await server.auth();
      expect((await users.createUser({ email: "ada@example.com", name: "Ada" }, { headers })).user?.name).toBe("Ada");
      const results = [];
      for await (const { sequence } of streams.serverStream({ query: "q" }, { headers })) results.push(sequence);
      expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      const receipt = await streams.clientStream(chunks(100, 1_000), { headers });
      expect(receipt).toMatchObject({ totalBytes: 100_000n, checksum: expect.stringMatching(/^[\da-f]{64}$/) });
      const replies = [];
      for await (const { reply } of streams.bidirectionalStream(
        (async function* () {
          yield { message: "a" };
          yield { message: "b" };
        })(),
        { headers },
      ))
        replies.push(reply);
      expect(replies).toEqual(["Echo: a", "Echo: b"]);
      const logged = server.log
        .filter(({ msg }) => msg === "call")
        .map(({ method, protocol, code }) => [method, protocol, code]);
      expect(logged).toContainEqual(["stream.v1.StreamService/BidirectionalStream", "grpc-web", "ok"]);
      expect(logged).toContainEqual(["stream.v1.StreamService/ClientStream", "grpc-web", "ok"]);
    });

    test("bidi is full duplex: each reply is there before the next message is sent", async () => {
      await using server = await startServer();
      const { requests, send, end } = conversation();
      const events: string[] = [];
      const responses = clientsOf(server).streams.bidirectionalStream(requests, { headers: await server.auth() });
      send("0");
      for await (const { reply } of responses) {
        events.push(reply);
        if (events.length === 5) end();
        else send(String(events.length));
      }
      expect(events).toEqual(["Echo: 0", "Echo: 1", "Echo: 2", "Echo: 3", "Echo: 4"]);
    });

    test("headers, trailers and the request id arrive", async () => {
      await using server = await startServer({ auth: false });
      let header = new Headers();
      let trailer = new Headers();
      const responses = clientsOf(server).streams.bidirectionalStream(
        (async function* () {
          yield { message: "a" };
        })(),
        {
          headers: { "x-request-id": "request-7" },
          onHeader: (value) => {
            header = value;
          },
          onTrailer: (value) => {
            trailer = value;
          },
        },
      );
      for await (const _ of responses);
      expect(header.get("x-request-id")).toBe("request-7");
      expect(trailer.get("grpc-status")).toBe("0");
    });
  });

  describe("errors", () => {
    test("without a token: unauthenticated, in-band, before any message is read", async () => {
      await using server = await startServer();
      let pulled = 0;
      const error = await errorOf(
        clientsOf(server).streams.clientStream(
          (async function* () {
            for await (const message of chunks(1_000, 100_000)) {
              pulled++;
              yield message;
            }
          })(),
        ),
      );
      expect(error).toMatchObject({ code: Code.Unauthenticated, rawMessage: "missing authorization token" });
      expect(pulled).toBeLessThan(1_000);
      expect(server.log.find(({ msg }) => msg === "call")).toMatchObject({ code: "unauthenticated", requestBytes: 0 });
    });

    test("details arrive", async () => {
      await using server = await startServer({ streams: { maxUploadBytes: 10 } });
      const { streams } = clientsOf(server);
      const error = await errorOf(streams.clientStream(chunks(1, 100), { headers: await server.auth() }));
      expect(error).toMatchObject({ code: Code.ResourceExhausted, rawMessage: "upload is larger than 10 bytes" });
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "UPLOAD_TOO_LARGE" }]);
    });

    test("a deadline ends the call on both sides", async () => {
      await using server = await startServer();
      const { streams } = clientsOf(server);
      const headers = await server.auth();
      let replies = 0;
      // On a busy machine, a deadline can be over before the socket is open. The server then never sees such a call.
      for (let timeoutMs = 100; replies === 0; timeoutMs *= 2) {
        const { requests, send } = conversation();
        send("a");
        const error = await errorOf(
          (async () => {
            for await (const _ of streams.bidirectionalStream(requests, { headers, timeoutMs })) replies += 1;
          })(),
        );
        expect(error.code).toBe(Code.DeadlineExceeded);
      }
      await until(() => server.log.find(({ msg }) => msg === "call"));
    });

    test.each([
      ["a little", 20_000],
      // Beyond a frame's own limit, the socket is closed without an answer.
      ["far", 200_000],
    ])("a message %s over the limit is resource_exhausted", async (_, bytes) => {
      await using server = await startServer({ maxMessageBytes: 10_000 });
      const { streams } = clientsOf(server);
      const error = await errorOf(streams.clientStream(chunks(1, bytes), { headers: await server.auth() }));
      expect(error.code).toBe(Code.ResourceExhausted);
      await expect(streams.clientStream(chunks(1, 9_000), { headers: await server.auth() })).resolves.toMatchObject({
        totalBytes: 9_000n,
      });
    });

    test("the stream ends when its token expires", async () => {
      await using server = await startServer();
      const replies: string[] = [];
      // On a busy machine a token can expire before the call begins.
      for (let ttlSeconds = 1; replies.length === 0; ttlSeconds *= 2) {
        const { requests, send } = conversation();
        const headers = await server.auth({ ttlSeconds });
        const responses = clientsOf(server).streams.bidirectionalStream(requests, { headers });
        send("a");
        const error = await errorOf(
          (async () => {
            for await (const { reply } of responses) replies.push(reply);
          })(),
        );
        expect(error).toMatchObject({ code: Code.Unauthenticated, rawMessage: "token has expired" });
      }
      expect(replies).toEqual(["Echo: a"]);
    });
  });

  describe("resources", () => {
    test("a cancel reaches the handler", async () => {
      await using server = await startServer();
      const { requests, send } = conversation();
      const abort = new AbortController();
      const responses = clientsOf(server).streams.bidirectionalStream(requests, {
        headers: await server.auth(),
        signal: abort.signal,
      });
      send("a");
      const error = await errorOf(
        (async () => {
          for await (const _ of responses) abort.abort();
        })(),
      );
      expect(error.code).toBe(Code.Canceled);
      expect(await until(() => server.log.find(({ msg }) => msg === "call"))).toMatchObject({ code: "canceled" });
    });

    test.each([
      ["fails when it is full", 1_000_000],
      ["holds an answer that fits", 16 * 1024 ** 2],
    ])("what waits to be read is bounded: the queue %s", async (_, maxQueuedBytes) => {
      const count = 50;
      await using server = await startServer(
        withProbe({
          async *bidiStream() {
            for (let sent = 0; sent < count; sent++) yield create(StringValueSchema, { value: "a".repeat(100_000) });
          },
        }),
      );
      const transport = createFetchTransport({ baseUrl: server.url, maxQueuedBytes });
      const responses = createClient(ProbeService, transport)
        .bidiStream((async function* () {})(), { headers: await server.auth() })
        [Symbol.asyncIterator]();
      // The client reads one message, and then none for a while.
      expect((await responses.next()).done).toBe(false);
      const { code } = await until(() => server.log.find(({ msg }) => msg === "call"));
      let received = 1;
      const drain = async () => {
        while (!(await responses.next()).done) received++;
      };
      if (maxQueuedBytes > 5_000_000) {
        await drain();
        expect([code, received]).toEqual(["ok", count]);
      } else {
        const error = await errorOf(drain());
        expect(error).toMatchObject({
          code: Code.ResourceExhausted,
          rawMessage: `more than ${maxQueuedBytes} bytes wait to be read`,
        });
        expect(received).toBeLessThan(count / 2);
      }
    });

    test("100 calls one after the other leave no socket", async () => {
      await using server = await startServer();
      const { streams } = clientsOf(server);
      const headers = await server.auth();
      const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
      const before = sockets();
      for (let call = 0; call < 100; call++) {
        const { requests, send, end } = conversation();
        send(String(call));
        for await (const { reply } of streams.bidirectionalStream(requests, { headers })) {
          expect(reply).toBe(`Echo: ${call}`);
          end();
        }
      }
      expect(server.log.filter(({ msg, code }) => msg === "call" && code === "ok")).toHaveLength(100);
      // Both ends of the sockets are in this process. It also holds others open, such as those of other tests' clients.
      await until(() => sockets() < before + 10);
    });
  });

  describe("shutdown", () => {
    test("a call under way finishes within the grace", async () => {
      await using server = await startServer({ shutdownGraceMs: 60_000 });
      const { requests, send, end } = conversation();
      const replies: string[] = [];
      let closed: Promise<void> | undefined;
      const headers = await server.auth();
      send("a");
      for await (const { reply } of clientsOf(server).streams.bidirectionalStream(requests, { headers })) {
        replies.push(reply);
        if (replies.length === 1) {
          closed = server.app.close();
          await delay(50);
          send("b");
        } else end();
      }
      expect(replies).toEqual(["Echo: a", "Echo: b"]);
      await closed;
    });

    test("an endless one ends with unavailable", async () => {
      await using server = await startServer({ shutdownGraceMs: 50 });
      const { requests, send } = conversation();
      send("a");
      const responses = clientsOf(server).streams.bidirectionalStream(requests, { headers: await server.auth() });
      let closed: Promise<void> | undefined;
      const error = await errorOf(
        (async () => {
          for await (const _ of responses) closed = server.app.close();
        })(),
      );
      expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: "server is shutting down" });
      await closed;
    });
  });
});

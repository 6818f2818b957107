import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { connections, startServerFor, testCa } from "@rollcall/testing/matrix";
import { withProbe } from "@rollcall/testing/probe-service";
import {
  begin,
  CHAT,
  chunk,
  HALF_CLOSE,
  headerBlock,
  openSocket,
  PROBE,
  say,
  UPLOAD,
} from "@rollcall/testing/raw/web-socket";
import { startServer as startOn, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { AppOptions } from "../../src/app-options.ts";

describe.concurrent.each(["direct", "stock"] as const)("the %s carrier", (rpcEngine) => {
  const startServer = (options: Partial<AppOptions> = {}) => startOn({ rpcEngine, ...options });

  describe("the handshake", () => {
    test.each([
      ["of a foreign page", "https://evil.example", 403],
      ["of a page without an origin, such as a sandboxed frame", "null", 403],
      ["of a host that only starts alike", "http://localhost.evil.example", 403],
      ["of an allowed origin", "https://app.example.com", "open"],
    ])("%s", async (_, origin, outcome) => {
      await using server = await startServer({ corsOrigins: ["https://app.example.com"] });
      const socket = openSocket(server, { origin });
      expect(await socket.outcome).toBe(outcome);
      socket.ws.terminate();
    });

    test.each([
      ["with TLS, of a plaintext page of the same host", "tlsHttp1", "http:", 403],
      ["with TLS, of its own page", "tlsHttp1", "https:", "open"],
      ["in plaintext behind a proxy that ends TLS, of its own page", "http1", "https:", "open"],
    ] as const)("%s", async (_, connection, scheme, outcome) => {
      await using server = await startServerFor(connections[connection]);
      const socket = openSocket(server, { origin: server.url.replace(/^https?:/, scheme), ca: testCa });
      expect(await socket.outcome).toBe(outcome);
      socket.ws.terminate();
    });

    test("of the server's own page, and of a client that is no browser", async () => {
      await using server = await startServer();
      for (const options of [{ origin: server.url }, {}]) {
        const socket = openSocket(server, options);
        expect(await socket.outcome).toBe("open");
        socket.ws.terminate();
      }
    });

    test.each([
      ["for a path that is no method", { path: "/user.v1.UserService/Nothing" }, 404],
      ["for a page", { path: "/" }, 404],
      ["for another subprotocol", { protocol: "chat" }, 400],
      ["for an invalid host", { headers: { host: "a b" } }, 400],
    ])("%s is refused", async (_, options, status) => {
      await using server = await startServer();
      expect(await openSocket(server, options).outcome).toBe(status);
    });

    test.each([
      ["behind a request that is not answered", false],
      ["behind one that is", true],
    ])("%s", async (_, isAnswered) => {
      await using server = await startServer({ streams: { resultIntervalMs: 10, resultCount: 20 } });
      const { authorization } = await server.auth();
      const socket = connect(server.port, "localhost");
      socket.on("error", () => {});
      let received = "";
      socket.on("data", (data) => {
        received += data.toString("latin1");
      });
      const query = encodeEnvelope(0, Buffer.from('{"query":"q"}'));
      socket.write(
        `POST /stream.v1.StreamService/ServerStream HTTP/1.1\r\nhost: localhost\r\nauthorization: ${authorization}\r\n` +
          `content-type: application/connect+json\r\ncontent-length: ${query.byteLength}\r\n\r\n`,
      );
      socket.write(query);
      // The answer is chunked: the last chunk is its end.
      await until(() => received.includes(isAnswered ? "\r\n0\r\n\r\n" : "Result 0"));
      socket.write(
        `GET ${CHAT} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
          "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
          "sec-websocket-protocol: grpc-websockets\r\n\r\n",
      );
      if (isAnswered) await until(() => received.includes("HTTP/1.1 101 "));
      else {
        await once(socket, "close");
        expect(received).not.toContain("HTTP/1.1 101 ");
      }
      socket.destroy();
    });

    test("of a page whose origin is long is refused, and logged in short", async () => {
      await using server = await startServer();
      expect(await openSocket(server, { origin: `https://${"a".repeat(5_000)}.example` }).outcome).toBe(403);
      const { origin } = server.log.find(({ msg }) => msg === "WebSocket refused") ?? {};
      expect(String(origin)).toMatch(/^https:\/\/a{192}$/);
    });

    test("to anything but a WebSocket is no handshake", async () => {
      await using server = await startServer();
      const socket = connect(server.port, "localhost");
      socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n");
      const [answer] = await once(socket, "data");
      expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
      socket.destroy();
    });
  });

  describe("the header block", () => {
    test("that never comes ends the socket; one that came does not", async () => {
      await using server = await startServer({ webSockets: { headerTimeoutMs: 1_000 } });
      const talk = async () => {
        const socket = await begin(server);
        socket.ws.send(say("here"));
        const isHeard = () => Buffer.concat(socket.received).includes("Echo: here");
        await until(() => isHeard() || socket.ws.readyState === WebSocket.CLOSED);
        return isHeard() ? socket : undefined;
      };
      // On a busy machine, a header block can come too late.
      let talking = await talk();
      while (!talking) talking = await talk();
      const silent = openSocket(server);
      expect(await silent.closed).toEqual({ code: 1008, status: Code.DeadlineExceeded });
      const { ws, received } = talking;
      ws.send(say("still here"));
      await until(() => Buffer.concat(received).includes("Echo: still here"));
      ws.terminate();
    });

    test("is bounded", async () => {
      await using server = await startServer();
      const { ws, opened, closed } = openSocket(server);
      await opened;
      ws.send(await headerBlock(server, `x-long: ${"a".repeat(16_384)}\r\n`));
      expect(await closed).toEqual({ code: 1008, status: Code.ResourceExhausted });
      const control = openSocket(server);
      await control.opened;
      control.ws.send(await headerBlock(server, `x-long: ${"a".repeat(15_000)}\r\n`));
      control.ws.send(HALF_CLOSE);
      expect(await control.closed).toEqual({ code: 1000, status: 0 });
    });

    test.each([
      [16 * 1_024, true],
      [8 * 1024 ** 2, false],
    ])("is bounded while it arrives: with a limit of %i bytes, refused: %s", async (maxHeaderBytes, isRefused) => {
      await using server = await startServer({ webSockets: { maxHeaderBytes, headerTimeoutMs: 60_000 } });
      const socket = connect(server.port, "localhost");
      socket.write(
        `GET ${CHAT} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
          "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
          "sec-websocket-protocol: grpc-websockets\r\n\r\n",
      );
      let received = "";
      socket.on("data", (data) => {
        received += data.toString("latin1");
      });
      await until(() => received.includes("\r\n\r\n"));
      // A frame of 4 MiB begins, and stops after 20 KiB.
      socket.write(Buffer.concat([Buffer.of(0x82, 0xff, 0, 0, 0, 0, 0, 0x40, 0, 0, 1, 2, 3, 4), Buffer.alloc(20_480)]));
      if (isRefused) await until(() => received.includes("grpc-status: 8"));
      else {
        await delay(200);
        expect(received).not.toContain("grpc-status");
      }
      socket.destroy();
    });

    test.each([
      ["a line without a name", ": value\r\n", Code.InvalidArgument],
      ["a name with a space", "a b: c\r\n", Code.InvalidArgument],
      ["a control character", "a: b\0c\r\n", Code.InvalidArgument],
      ["another protocol", "content-type: application/json\r\n", Code.Unimplemented],
      ["nothing wrong", "content-type: application/grpc-web\r\n", Code.Unauthenticated],
    ])("with %s", async (_, block, status) => {
      await using server = await startServer();
      const { ws, opened, closed } = openSocket(server);
      await opened;
      ws.send(Buffer.from(block));
      expect(await closed).toMatchObject({ status });
    });
  });

  test("nothing of the connection or of a hop can be smuggled in-band; what comes with the connection arrives", async () => {
    await using server = await startServer(
      withProbe({
        async *bidiStream(_requests, { requestHeader }) {
          yield create(StringValueSchema, { value: JSON.stringify([...requestHeader]) });
        },
      }),
    );
    const smuggled = [
      "host: evil.example",
      "origin: https://evil.example",
      "cookie: session=evil",
      "x-forwarded-for: 6.6.6.6",
      "X-Forwarded-Proto: evil",
      "x-real-ip: 6.6.6.6",
      "via: evil",
      "forwarded: for=6.6.6.6",
      "transfer-encoding: evil",
      "connection: evil",
      "te: evil",
      "proxy-authorization: evil",
    ];
    const { ws, closed, received } = await begin(server, PROBE, `${smuggled.join("\r\n")}\r\nx-mine: taken\r\n`, {
      "x-forwarded-for": "192.0.2.1",
    });
    ws.send(HALF_CLOSE);
    expect(await closed).toEqual({ code: 1000, status: 0 });
    const answer = Buffer.concat(received).toString("latin1");
    expect(answer).toContain('["x-mine","taken"]');
    expect(answer).toContain('["x-forwarded-for","192.0.2.1"]');
    expect(answer).toContain(`["host","localhost:${server.port}"]`);
    expect(answer).not.toMatch(/evil|6\.6\.6\.6/);
    expect(server.log.find(({ msg }) => msg === "call")?.peer).toMatch(/^(?:127\.0\.0\.1|\[::1\]):/);
  });

  describe("frames", () => {
    test("over the limit close the socket; what fits does not", async () => {
      await using server = await startServer({ maxMessageBytes: 100_000 });
      const tooLarge = await begin(server, UPLOAD);
      tooLarge.ws.send(Buffer.alloc(200_000));
      expect(await tooLarge.closed).toMatchObject({ code: 1009 });
      // The same holds while an answer is being written.
      const talking = await begin(server);
      const { _socket: socket } = talking.ws as unknown as { _socket: Socket };
      socket.cork();
      talking.ws.send(say("one"));
      talking.ws.send(Buffer.alloc(200_000));
      socket.uncork();
      expect(await talking.closed).toMatchObject({ code: 1009 });
      const lines = await until(() => {
        const calls = server.log.filter(({ msg }) => msg === "call");
        return calls.length === 2 ? calls : undefined;
      });
      expect(lines.map(({ code }) => code)).toEqual(["resource_exhausted", "resource_exhausted"]);
      const control = await begin(server, UPLOAD);
      control.ws.send(chunk(99_000));
      control.ws.send(HALF_CLOSE);
      expect(await control.closed).toEqual({ code: 1000, status: 0 });
    });

    test.each([
      [500, { code: 1000, status: 0 }],
      [5_000, { code: 1008, status: Number.NaN }],
    ])("in %i fragments", async (count, outcome) => {
      await using server = await startServer();
      const { ws, closed } = await begin(server);
      const message = say("a".repeat(count));
      for (let at = 0; at < count; at++) ws.send(message.subarray(at, at + 1), { fin: false });
      ws.send(message.subarray(count), { fin: true });
      ws.send(HALF_CLOSE);
      expect(await closed).toEqual(outcome);
    });

    test.each([
      ["an unknown tag", [Buffer.of(2, 1, 2, 3)]],
      ["no tag at all", [Buffer.alloc(0)]],
      ["a half-close with more in it", [Buffer.of(1, 1)]],
      ["text", ["hello"]],
    ])("with %s are an error", async (_, frames) => {
      await using server = await startServer();
      const { ws, closed } = await begin(server, UPLOAD);
      for (const frame of frames) ws.send(frame);
      expect(await closed).toMatchObject({ status: Code.InvalidArgument });
    });

    test.each([
      ["more after the end", [say("late")], "canceled"],
      ["no more", [], "ok"],
    ])("after the end: %s", async (_, frames, code) => {
      // The call lasts for a while after its request is complete.
      const goOn = Promise.withResolvers<void>();
      await using server = await startServer(
        withProbe({
          async *bidiStream(_requests, { signal }) {
            yield create(StringValueSchema, { value: "begun" });
            signal.addEventListener("abort", () => goOn.reject(signal.reason));
            await goOn.promise;
          },
        }),
      );
      const { ws, received, closed } = await begin(server, PROBE);
      ws.send(HALF_CLOSE);
      await until(() => Buffer.concat(received).includes("begun"));
      for (const frame of frames) ws.send(frame);
      if (frames.length === 0) goOn.resolve();
      await closed;
      expect(await until(() => server.log.find(({ msg }) => msg === "call"))).toMatchObject({ code });
    });

    test("that end a call are its end in the log, though its client goes at once and its handler reads nothing", async () => {
      await using server = await startServer({
        ...withProbe({
          async *bidiStream(_requests, { signal }) {
            yield create(StringValueSchema, { value: "begun" });
            await once(signal, "abort");
          },
        }),
        maxMessageBytes: 100_000,
      });
      const { ws, received } = await begin(server, PROBE);
      await until(() => Buffer.concat(received).includes("begun"));
      ws.send(Buffer.alloc(200_000), () => ws.terminate());
      expect(await until(() => server.log.find(({ msg }) => msg === "call"))).toMatchObject({
        code: "resource_exhausted",
      });
    });

    test("are taken only from clients that were let in", async () => {
      await using server = await startServer();
      const { ws, opened, closed } = openSocket(server, { path: UPLOAD });
      await opened;
      ws.send(Buffer.from("content-type: application/grpc-web+proto\r\nauthorization: Bearer nothing\r\n"));
      ws.send(chunk(1_000));
      expect(await closed).toEqual({ code: 1000, status: Code.Unauthenticated });
      expect(server.log.find(({ msg }) => msg === "call")).toMatchObject({ code: "unauthenticated", requestBytes: 0 });
    });
  });
});

import { once } from "node:events";
import { connect } from "node:net";
import { buffer } from "node:stream/consumers";
import { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { type RawResponse, rawRequest } from "@rollcall/testing/raw/http";
import { begin, CHAT, HALF_CLOSE, headerBlock, openSocket } from "@rollcall/testing/raw/web-socket";
import { startServer as startOn, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import type { WebSocket } from "ws";
import type { AppOptions } from "../../src/app-options.ts";

describe.concurrent.each(["direct", "stock"] as const)("the %s carrier", (rpcEngine) => {
  const startServer = (options: Partial<AppOptions> = {}) => startOn({ rpcEngine, ...options });

  const callLines = (server: TestServer) => server.log.filter(({ msg }) => msg === "call");
  const method = CHAT.slice(1);

  describe("a call that is refused before it begins is a call in the log, and its client learns why", () => {
    type Refusal = {
      options?: Partial<AppOptions>;
      act?: (ws: WebSocket, server: TestServer) => unknown;
      close: number;
      code: Code;
      message: string;
      /** Whether the client's frame is so broken that the server can only close the socket. */
      isSilent?: boolean;
    };
    const shortWait = { webSockets: { headerTimeoutMs: 50 } };
    const html = "content-type: text/html\r\n";
    test.each<[string, Refusal]>([
      [
        "an invalid header block",
        {
          act: (ws) => ws.send(Buffer.from("no colon\r\n")),
          close: 1008,
          code: Code.InvalidArgument,
          message: "malformed header block",
        },
      ],
      [
        "another protocol",
        {
          act: (ws) => ws.send(Buffer.from(html)),
          close: 1008,
          code: Code.Unimplemented,
          message: "content-type must be",
        },
      ],
      [
        "a header block that is too large",
        {
          act: async (ws, server) => ws.send(await headerBlock(server, `x-long: ${"a".repeat(16_384)}\r\n`)),
          close: 1008,
          code: Code.ResourceExhausted,
          message: "header block is larger than 16384 bytes",
        },
      ],
      [
        "no header block in time",
        { options: shortWait, close: 1008, code: Code.DeadlineExceeded, message: "no header block arrived in time" },
      ],
      [
        "text",
        {
          act: (ws) => ws.send("hello"),
          close: 1008,
          code: Code.InvalidArgument,
          message: "protocol error: text frames carry nothing",
        },
      ],
      [
        "a server that stops",
        {
          act: (_ws, server) => void server.app.close(),
          close: 1001,
          code: Code.Unavailable,
          message: "server is shutting down",
        },
      ],
      [
        "a broken frame",
        {
          act: (ws) =>
            (ws as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(Buffer.of(0xff, 0xff)),
          close: 1002,
          code: Code.InvalidArgument,
          message: "",
          isSilent: true,
        },
      ],
    ])("%s", async (_, { options = {}, act, close, code, message, isSilent = false }) => {
      await using server = await startServer(options);
      const { ws, opened, closed, received } = openSocket(server);
      await opened;
      await act?.(ws, server);
      expect(await closed).toEqual({ code: close, status: isSilent ? Number.NaN : code });
      const line = await until(() => callLines(server)[0]);
      expect(line).toMatchObject({
        level: "info",
        method,
        protocol: "grpc-web",
        code: codeToString(code),
        durationMs: expect.any(Number),
        requestBytes: 0,
        peer: expect.stringMatching(/^127\.0\.0\.1:\d+$|^\[::1\]:\d+$/),
        requestId: expect.stringMatching(/^[\da-f-]{36}$/),
      });
      if (!isSilent) {
        const answer = decodeURIComponent(Buffer.concat(received).toString("latin1"));
        expect(answer).toContain(message);
        expect(answer).toContain(`x-request-id: ${line.requestId}\r\n`);
      }
      // There is only one line, and no other line reports the same in different words.
      expect(callLines(server)).toHaveLength(1);
      expect(server.log.filter(({ msg }) => msg === "WebSocket refused")).toEqual([]);
    });

    test("it counts from when its socket was opened", async () => {
      await using server = await startServer({ webSockets: { headerTimeoutMs: 300 } });
      await openSocket(server).closed;
      const { durationMs } = await until(() => callLines(server)[0]);
      expect(durationMs).toBeGreaterThan(200);
    });

    test("a call that begins has one line too, with its own id", async () => {
      await using server = await startServer();
      const { ws, closed } = await begin(server, CHAT, "x-request-id: mine-1\r\n");
      ws.send(HALF_CLOSE);
      expect(await closed).toEqual({ code: 1000, status: 0 });
      expect(callLines(server)).toMatchObject([{ method, protocol: "grpc-web", code: "ok", requestId: "mine-1" }]);
    });

    test("what a refused client still sends is not heard", async () => {
      await using server = await startServer();
      const { ws, opened, closed } = openSocket(server);
      await opened;
      for (const frame of ["no colon\r\n", await headerBlock(server), HALF_CLOSE]) ws.send(Buffer.from(frame));
      expect(await closed).toEqual({ code: 1008, status: Code.InvalidArgument });
      expect(callLines(server)).toMatchObject([{ code: "invalid_argument" }]);
    });
  });

  const handshake = {
    connection: "upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "sec-websocket-protocol": "grpc-websockets",
  };

  function errorIn({ headers, body }: RawResponse): { code: string; message: string } {
    expect(headers.get("content-type")).toBe("application/json");
    return JSON.parse(String(body));
  }

  describe("a request that gets no WebSocket is answered in the contract's form, and is no call", () => {
    test.each<[string, string, Record<string, string>, number, string]>([
      ["a path that is no method", "/nothing", {}, 404, "unimplemented"],
      ["a foreign page", CHAT, { origin: "https://evil.example" }, 403, "permission_denied"],
      ["another subprotocol", CHAT, { "sec-websocket-protocol": "chat" }, 400, "invalid_argument"],
      ["an invalid host", CHAT, { host: "a b" }, 400, "invalid_argument"],
      ["an invalid key", CHAT, { "sec-websocket-key": "short" }, 400, "invalid_argument"],
      ["an unknown version", CHAT, { "sec-websocket-version": "99" }, 400, "invalid_argument"],
      [
        "an invalid list of subprotocols",
        CHAT,
        { "sec-websocket-protocol": "grpc-websockets,," },
        400,
        "invalid_argument",
      ],
    ])("%s", async (_, path, changes, status, code) => {
      await using server = await startServer();
      const headers = { ...handshake, ...changes, "x-request-id": "mine-2" };
      const response = await rawRequest("GET", `${server.url}${path}?token=secret`, headers);
      expect(response.status).toBe(status);
      expect(errorIn(response)).toEqual({ code, message: expect.stringMatching(/./) });
      expect(response.headers.get("x-request-id")).toBe("mine-2");
      const lines = await until(() => server.log.length > 0 && server.log.filter(({ msg }) => msg !== undefined));
      const refused = lines.filter(({ msg }) => msg === "WebSocket refused");
      expect(refused).toMatchObject([{ path, status, requestId: "mine-2" }]);
      expect(callLines(server)).toEqual([]);
      expect(JSON.stringify(server.log)).not.toContain("secret");
    });

    test("has a request id of its own where it brings none", async () => {
      await using server = await startServer();
      const response = await rawRequest("GET", `${server.url}/nothing`, handshake);
      expect(response.headers.get("x-request-id")).toMatch(/^[\da-f-]{36}$/);
    });
  });

  describe("a request for an upgrade that is not a GET without a body is a request like others", () => {
    test.each<["GET" | "POST", string]>([
      ["POST", ""],
      ["POST", "12345"],
      ["GET", "12345"],
    ])("%s with the body %j", async (verb, body) => {
      await using server = await startServer();
      const response = await rawRequest(
        verb,
        `${server.url}/healthz`,
        { ...handshake, "content-length": String(body.length) },
        body,
      );
      expect(response.status).toBe(verb === "GET" ? 200 : 405);
      expect(response.headers.get("connection")).toBe("close");
    });

    test.each([
      ["alone, the control", "", 2],
      ["behind one that asks for h2c", "connection: upgrade\r\nupgrade: h2c\r\n", 1],
    ])("a request %s does not wait for ever", async (_, upgrade, answers) => {
      await using server = await startServer();
      const socket = connect(server.port, "localhost");
      await once(socket, "connect");
      // Both requests are in one packet, so that both are there when the first is parsed.
      socket.write(
        `GET /healthz HTTP/1.1\r\nhost: localhost\r\n${upgrade}\r\n` +
          "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
      );
      // The server ends the connection, so the client knows which requests were not answered.
      expect(String(await buffer(socket)).match(/HTTP\/1\.1 200 /g)).toHaveLength(answers);
    });
  });
});

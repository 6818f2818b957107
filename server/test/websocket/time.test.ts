import { once } from "node:events";
import { connect } from "node:net";
import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { withProbe } from "@rollcall/testing/probe-service";
import {
  begin,
  CHAT,
  chunk,
  HALF_CLOSE,
  headerBlock,
  openRawSocket,
  openSocket,
  PROBE,
  say,
  UPLOAD,
} from "@rollcall/testing/raw/web-socket";
import { startServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";

describe("time", () => {
  test("a client that answers no ping is cut off; one that does is not", async () => {
    await using server = await startServer({ webSockets: { pingIntervalMs: 50 } });
    const dead = openSocket(server, { autoPong: false });
    const alive = await begin(server);
    await dead.opened;
    dead.ws.send(await headerBlock(server));
    expect(await dead.closed).toMatchObject({ code: 1006 });
    expect(alive.ws.readyState).toBe(WebSocket.OPEN);
    alive.ws.terminate();
  });

  test("an upload that stalls ends; a quiet conversation does not", async () => {
    await using server = await startServer({ timeouts: { stallTimeoutMs: 100 } });
    const chat = await begin(server);
    const upload = await begin(server, UPLOAD);
    upload.ws.send(chunk(10));
    expect(await upload.closed).toEqual({ code: 1000, status: Code.DeadlineExceeded });
    chat.ws.send(HALF_CLOSE);
    expect(await chat.closed).toEqual({ code: 1000, status: 0 });
  });

  test("a client that goes away ends its call, though the handler reads nothing", async () => {
    await using server = await startServer(
      withProbe({
        async *bidiStream(_requests, { signal }) {
          yield create(StringValueSchema, { value: "begun" });
          await once(signal, "abort");
        },
      }),
    );
    const { ws, received } = await begin(server, PROBE);
    await until(() => Buffer.concat(received).includes("begun"));
    ws.terminate();
    expect(await until(() => server.log.find(({ msg }) => msg === "call"))).toMatchObject({ code: "canceled" });
  });

  test.each([
    ["does not read is cut off", true, "canceled", 300],
    ["reads is not", false, "ok", 100],
  ])("a client that %s", async (_, isPaused, expected, count) => {
    const codeOf = async (stallTimeoutMs: number) => {
      await using server = await startServer({ timeouts: { stallTimeoutMs } });
      const { ws } = await begin(server);
      if (isPaused) ws.pause();
      const message = say("a".repeat(100_000));
      for (let sent = 0; sent < count; sent++) ws.send(message);
      ws.send(HALF_CLOSE);
      const line = await until(() => server.log.find(({ msg }) => msg === "call"));
      ws.terminate();
      return line.code;
    };
    // While a busy machine lets this process stand still, no client reads.
    let code: unknown;
    for (let timeoutMs = 500; code !== expected && timeoutMs < 60_000; timeoutMs *= 2) code = await codeOf(timeoutMs);
    expect(code).toBe(expected);
  });

  test("a client that does not read is cut off soon once its deadline has passed, and waited for before", async () => {
    await using server = await startServer();
    const call = async (deadline: string) => {
      const { socket, send } = await openRawSocket(server, `${await headerBlock(server)}${deadline}`, CHAT);
      socket.pause();
      // The messages are more than the network's buffers hold in both directions.
      const message = say("a".repeat(4_000_000));
      for (let sent = 0; sent < 8; sent++) send(message);
      return socket;
    };
    // Without a deadline, a client that does not read has a minute.
    const patient = await call("");
    const cut = await call("grpc-timeout: 500m\r\n");
    await until(() => cut.destroyed);
    expect(patient.destroyed).toBe(false);
    patient.destroy();
  });

  test("a socket that comes while the server stops is refused", async () => {
    await using server = await startServer({ shutdownGraceMs: 60_000 });
    const talking = await begin(server);
    talking.ws.send(say("a"));
    await until(() => Buffer.concat(talking.received).includes("Echo: a"));
    // The connection is already open, like those that a browser keeps.
    const socket = connect(server.port, "localhost");
    socket.write(`GET ${CHAT} HTTP/1.1\r\nhost: localhost\r\n`);
    await once(socket, "connect");
    // After this request, the server has had a turn to accept the connection.
    await fetch(`${server.url}/healthz`);
    const closed = server.app.close();
    socket.write(
      "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n" +
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: grpc-websockets\r\n\r\n",
    );
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 503 /);
    talking.ws.send(HALF_CLOSE);
    expect(await talking.closed).toEqual({ code: 1000, status: 0 });
    await closed;
  });

  test("a socket without a call goes when the server does", async () => {
    await using server = await startServer();
    const { opened, closed } = openSocket(server);
    await opened;
    await server.app.close();
    expect(await closed).toMatchObject({ code: 1001 });
  });
});

import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { connections, startServerFor, testCa } from "@rollcall/testing/matrix";
import { withProbe } from "@rollcall/testing/probe-service";
import {
  begin,
  body,
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
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { isTurnOver } from "../../src/runtime/loop-turn.ts";

describe("a frame that is not complete", () => {
  // This is the header of a frame of 60,000 bytes, few of which ever come.
  const head = Buffer.of(0x82, 0x80 | 126, 0xea, 0x60, 0, 0, 0, 0, 0);

  test.each([
    [100, false],
    [200, true],
  ])("in %i parts where one in 512 bytes is allowed: refused: %s", async (parts, isRefused) => {
    await using server = await startServer({ maxMessageBytes: 1_024 });
    const { socket } = await openRawSocket(server, (await headerBlock(server)).toString(), CHAT);
    socket.setNoDelay(true).write(head);
    for (let sent = 0; sent < parts && !socket.closed; sent++) {
      socket.write("a");
      await delay(2);
    }
    if (isRefused) await until(() => socket.closed);
    expect(socket.closed).toBe(isRefused);
    socket.destroy();
  });

  test("is not waited for for ever, even in a conversation", async () => {
    await using server = await startServer({ timeouts: { stallTimeoutMs: 100 } });
    const { socket } = await openRawSocket(server, (await headerBlock(server)).toString(), CHAT);
    let received = "";
    socket.on("data", (data) => {
      received += data.toString("latin1");
    });
    socket.setNoDelay(true).write(head);
    await delay(50);
    socket.write("a");
    await until(() => received.includes(`grpc-status: ${Code.DeadlineExceeded}`));
    socket.destroy();
  });

  test.each(["http1", "tlsHttp1"] as const)("of the largest message is taken over %s", async (connection) => {
    await using server = await startServerFor(connections[connection]);
    const { ws, opened, closed } = openSocket(server, { path: UPLOAD, ca: testCa });
    await opened;
    ws.send(await headerBlock(server));
    ws.send(chunk(4 * 1024 ** 2 - 16));
    ws.send(HALF_CLOSE);
    expect(await closed).toEqual({ code: 1000, status: 0 });
  });
});

describe("what is sent behind a refusal", () => {
  const content = "content-type: application/grpc-web+proto\r\nauthorization: ";
  const flood = async (server: TestServer, authorization: string) => {
    const { socket, send } = await openRawSocket(server, `${content}${authorization}\r\n`);
    const part = Buffer.from(chunk(1024 ** 2));
    for (let i = 0; i < 64; i++) send(part);
    // Wait until everything has been read, or until the server has closed the socket, as it does after a refused call.
    let unsent = socket.writableLength;
    while (!socket.destroyed && unsent > 0) {
      await delay(5);
      if (!socket.destroyed) unsent = socket.writableLength;
    }
    socket.destroy();
    return unsent;
  };

  test("is not read, while all of a call that is let in is", async () => {
    await using server = await startServer();
    const { authorization } = await server.auth();
    expect(await flood(server, authorization)).toBe(0);
    expect(await flood(server, "Bearer nothing")).toBeGreaterThan(32 * 1024 ** 2);
  });
});

describe("many", () => {
  test("300 silent sockets keep nobody out, and are gone in time", async () => {
    const attack = async (headerTimeoutMs: number) => {
      await using server = await startServer({ webSockets: { headerTimeoutMs } });
      const sockets = Array.from({ length: 300 }, () => openSocket(server));
      await Promise.all(sockets.map(({ opened }) => opened));
      const control = await begin(server);
      control.ws.send(HALF_CLOSE);
      const outcome = await control.closed;
      const ends = await Promise.all(sockets.map(({ closed }) => closed));
      expect(new Set(ends.map(({ status }) => status))).toEqual(new Set([Code.DeadlineExceeded]));
      return outcome;
    };
    let outcome = await attack(2_000);
    // On a busy machine, the control can come too late as well.
    for (let timeoutMs = 4_000; outcome.status !== 0 && timeoutMs < 20_000; timeoutMs *= 2) {
      outcome = await attack(timeoutMs);
    }
    expect(outcome).toEqual({ code: 1000, status: 0 });
  });

  test("1,000 pings at once get an answer to the latest, and few others", async () => {
    await using server = await startServer();
    const { ws } = await begin(server);
    const pongs: string[] = [];
    ws.on("pong", (data) => pongs.push(data.toString()));
    for (let sent = 1; sent <= 1_000; sent++) ws.ping(String(sent).padStart(125));
    await until(() => pongs.at(-1)?.trim() === "1000");
    expect(pongs.length).toBeLessThan(100);
    ws.ping("one alone");
    await until(() => pongs.at(-1) === "one alone");
    ws.terminate();
  });

  test("frames that come fast are read in pieces of a turn each, once the turn is over", async () => {
    await using server = await startServer();
    const ws = new WebSocket(`${server.url.replace("http", "ws")}${CHAT}`, "grpc-websockets");
    const [[{ socket }]] = (await Promise.all([once(ws, "upgrade"), once(ws, "open")])) as [[IncomingMessage], []];
    ws.send(await headerBlock(server));
    // From here on, every turn is over before sockets are read, as under load.
    let turns: NodeJS.Immediate | undefined;
    const hold = () => {
      isTurnOver();
      const endMs = performance.now() + 11;
      while (performance.now() < endMs);
      turns = setImmediate(hold);
    };
    hold();
    // The pongs show the server's progress after each turn.
    const answered: number[] = [];
    ws.on("pong", (data) => answered.push(data.readUInt32BE()));
    const head = Buffer.of(0x89, 0x80 | 4, 0, 0, 0, 0);
    const pings = Array.from({ length: 50_000 }, (_, index) => {
      const payload = Buffer.alloc(4);
      payload.writeUInt32BE(index);
      return Buffer.concat([head, payload]);
    });
    socket.write(Buffer.concat(pings));
    await until(() => answered.at(-1) === pings.length - 1);
    clearImmediate(turns);
    const pingsPerTurn = answered.map((index, turn) => index - (answered[turn - 1] ?? 0));
    // Node.js reads 64 KiB at a time.
    expect(Math.max(...pingsPerTurn)).toBeLessThanOrEqual(65_536 / 10 + 1);
    ws.terminate();
  });

  test("200,000 pings of a client that reads no answer fill nothing", async () => {
    await using server = await startServer();
    const { ws } = await begin(server);
    let pongs = 0;
    ws.on("pong", () => pongs++);
    ws.pause();
    const payload = Buffer.alloc(125);
    await new Promise<void>((resolve) => {
      for (let sent = 1; sent < 200_000; sent++) ws.ping(payload);
      ws.ping(payload, true, () => resolve());
    });
    ws.resume();
    ws.send(HALF_CLOSE);
    await once(ws, "close");
    expect(pongs).toBeLessThan(10_000);
  });

  test.each([
    ["empty frames are no queue", Buffer.of(0), true],
    ["frames with something in them are, and hold the client back", body(Buffer.alloc(1)), false],
  ])("60,000 %s for a handler that reads nothing", async (_, frame, isAnswered) => {
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
    let pongs = 0;
    ws.on("pong", () => pongs++);
    for (let sent = 0; sent < 60_000; sent++) ws.send(frame);
    // The socket is read in pieces. The last one may have been taken before reading was paused.
    await delay(200);
    ws.ping();
    if (isAnswered) await until(() => pongs > 0);
    else {
      await delay(200);
      expect(pongs).toBe(0);
    }
    ws.terminate();
  });

  test.each([
    ["50 MB", "does not read", 500],
    ["20 MB", "reads", 200],
  ])("%s to a handler whose client %s", async (_size, how, count) => {
    const isPaused = how === "does not read";
    await using server = await startServer();
    const { ws, received } = await begin(server);
    if (isPaused) ws.pause();
    const message = say("a".repeat(100_000));
    for (let sent = 0; sent < count; sent++) ws.send(message);
    ws.send(HALF_CLOSE);
    if (isPaused) {
      // The server applies backpressure: once its own buffers and the network's are full, nothing moves.
      let before = -1;
      await until(() => {
        const same = before === ws.bufferedAmount;
        before = ws.bufferedAmount;
        return same;
      });
      await delay(200);
      expect(ws.bufferedAmount).toBeGreaterThan(25_000_000);
    } else {
      await until(() => Buffer.concat(received.slice(-2)).includes("grpc-status: 0"));
      expect(received.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeGreaterThan(20_000_000);
    }
    ws.terminate();
  });
});

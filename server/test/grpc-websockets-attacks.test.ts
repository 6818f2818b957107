import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { BidiRequestSchema, ClientStreamRequestSchema } from "@rollcall/gen/stream/v1/stream";
import { describe, expect, test } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import { isTurnOver } from "../src/rpc/loop-turn.ts";
import { startServer, type TestServer, until } from "./harness.ts";
import { connections, startServerFor, testCa } from "./matrix.ts";
import { withProbe } from "./probe-service.ts";

const CHAT = "/stream.v1.StreamService/BidirectionalStream";
const UPLOAD = "/stream.v1.StreamService/ClientStream";
const PROBE = "/probe.v1.ProbeService/BidiStream";
const HALF_CLOSE = Buffer.of(1);

/** A socket as an attacker has it: each frame by hand. */
function openSocket(server: TestServer, options: ClientOptions & { path?: string; protocol?: string } = {}) {
  const { path = CHAT, protocol = "grpc-websockets", ...rest } = options;
  const ws = new WebSocket(`${server.url.replace("http", "ws")}${path}`, protocol, rest);
  const received: Buffer[] = [];
  ws.on("message", (data: Buffer) => received.push(data));
  ws.on("error", () => {});
  const refused = new Promise<number>((resolve) => {
    ws.once("unexpected-response", (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
  });
  const opened = new Promise((resolve) => ws.once("open", resolve));
  return {
    ws,
    opened,
    received,
    /** Resolves with the status of the refusal; "open" when there is none. */
    outcome: Promise.race([refused, opened.then(() => "open" as const)]),
    /** Resolves with the close code, and the grpc-status that came in-band. */
    closed: new Promise<{ code: number; status: number }>((resolve) => {
      ws.once("close", (code) => {
        const [, status] = /grpc-status: (\d+)/.exec(Buffer.concat(received).toString("latin1")) ?? [];
        resolve({ code, status: Number(status) });
      });
    }),
  };
}

/** The header block of a call that may be made. */
async function headerBlock(server: TestServer, more = ""): Promise<Buffer> {
  const { authorization } = await server.auth();
  return Buffer.from(`content-type: application/grpc-web+proto\r\nauthorization: ${authorization}\r\n${more}`);
}

const body = (bytes: Uint8Array) => Buffer.concat([Buffer.of(0), bytes]);
const say = (message: string) =>
  body(encodeEnvelope(0, toBinary(BidiRequestSchema, create(BidiRequestSchema, { message }))));
const chunk = (bytes: number) =>
  body(
    encodeEnvelope(
      0,
      toBinary(ClientStreamRequestSchema, create(ClientStreamRequestSchema, { chunk: new Uint8Array(bytes) })),
    ),
  );

/** A socket on which a call has begun. */
async function begin(server: TestServer, path = CHAT, more = "", headers: Record<string, string> = {}) {
  const socket = openSocket(server, { path, headers });
  await socket.opened;
  socket.ws.send(await headerBlock(server, more));
  return socket;
}

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
    ["for a host that is none", { headers: { host: "a b" } }, 400],
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
    // Chunked: its end is the answer's.
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
    await using server = await startServer({ webSockets: { headerTimeoutMs: 100 } });
    const talking = await begin(server);
    const silent = openSocket(server);
    expect(await silent.closed).toEqual({ code: 1008, status: Code.DeadlineExceeded });
    talking.ws.send(say("still here"));
    await until(() => Buffer.concat(talking.received).includes("Echo: still here"));
    talking.ws.terminate();
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
    await using server = await startServer({ webSockets: { maxHeaderBytes } });
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
    await using server = await startServer({ readMaxBytes: 100_000 });
    const tooLarge = await begin(server, UPLOAD);
    tooLarge.ws.send(Buffer.alloc(200_000));
    expect(await tooLarge.closed).toMatchObject({ code: 1009 });
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
    // A call that goes on for a while after its request is complete.
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

  test("are taken from nobody who is not let in", async () => {
    await using server = await startServer();
    const { ws, opened, closed } = openSocket(server, { path: UPLOAD });
    await opened;
    ws.send(Buffer.from("content-type: application/grpc-web+proto\r\nauthorization: Bearer nothing\r\n"));
    ws.send(chunk(1_000));
    expect(await closed).toEqual({ code: 1000, status: Code.Unauthenticated });
    expect(server.log.find(({ msg }) => msg === "call")).toMatchObject({ code: "unauthenticated", requestBytes: 0 });
  });
});

/** A WebSocket by hand, which goes on sending whatever the server says. */
async function openRawSocket(server: TestServer, headerBlock: string, path = UPLOAD) {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: localhost:${server.port}\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
      "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
      "sec-websocket-protocol: grpc-websockets\r\n\r\n",
  );
  await once(socket, "data");
  socket.resume();
  // Masked, as a client's frames must be, with a mask that changes nothing.
  const frame = (payload: Buffer) => {
    const head = Buffer.alloc(14);
    head.writeUInt8(0x82, 0);
    head.writeUInt8(0x80 | 127, 1);
    head.writeBigUInt64BE(BigInt(payload.length), 2);
    return Buffer.concat([head, payload]);
  };
  socket.write(frame(Buffer.from(headerBlock)));
  return { socket, send: (payload: Buffer) => socket.write(frame(payload)) };
}

describe("a frame that is not complete", () => {
  // Of 60,000 bytes, of which few ever come.
  const head = Buffer.of(0x82, 0x80 | 126, 0xea, 0x60, 0, 0, 0, 0, 0);

  test.each([
    [100, false],
    [200, true],
  ])("in %i parts where one in 512 bytes is allowed: refused: %s", async (parts, isRefused) => {
    await using server = await startServer({ readMaxBytes: 1_024 });
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
    let unsent = -1;
    while (!socket.closed && unsent !== socket.writableLength) {
      unsent = socket.writableLength;
      await delay(700);
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
    ["does not read is cut off", true, "canceled"],
    ["reads is not", false, "ok"],
  ])("a client that %s", async (_, isPaused, code) => {
    await using server = await startServer({ timeouts: { stallTimeoutMs: 300 } });
    const { ws } = await begin(server);
    if (isPaused) ws.pause();
    const message = say("a".repeat(100_000));
    for (let sent = 0; sent < 300; sent++) ws.send(message);
    ws.send(HALF_CLOSE);
    expect(await until(() => server.log.find(({ msg }) => msg === "call"))).toMatchObject({ code });
    ws.terminate();
  });

  test.each([
    ["whose deadline has passed is cut off soon", "grpc-timeout: 500m\r\n", true],
    ["whose deadline has not is waited for", "", false],
  ])("a client that does not read, and %s", async (_, deadline, isCut) => {
    await using server = await startServer();
    const { socket, send } = await openRawSocket(server, `${await headerBlock(server)}${deadline}`, CHAT);
    socket.pause();
    // More than the network holds, back and forth.
    const message = say("a".repeat(4_000_000));
    for (let sent = 0; sent < 8; sent++) send(message);
    // Without its deadline, it has a minute.
    if (isCut) await until(() => socket.destroyed);
    else await delay(7_000);
    expect(socket.destroyed).toBe(isCut);
    socket.destroy();
  });

  test("a socket that comes while the server stops is refused", async () => {
    await using server = await startServer({ shutdownGraceMs: 5_000 });
    const talking = await begin(server);
    talking.ws.send(say("a"));
    await until(() => Buffer.concat(talking.received).includes("Echo: a"));
    // A connection that is already there, as a browser keeps some.
    const socket = connect(server.port, "localhost");
    socket.write(`GET ${CHAT} HTTP/1.1\r\nhost: localhost\r\n`);
    await once(socket, "connect");
    // The server has had a turn to accept it.
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

describe("many", () => {
  test("1,000 silent sockets keep nobody out, and are gone in time", async () => {
    await using server = await startServer({ webSockets: { headerTimeoutMs: 2_000 } });
    const sockets = Array.from({ length: 1_000 }, () => openSocket(server));
    await Promise.all(sockets.map(({ opened }) => opened));
    const control = await begin(server);
    control.ws.send(HALF_CLOSE);
    expect(await control.closed).toEqual({ code: 1000, status: 0 });
    const ends = await Promise.all(sockets.map(({ closed }) => closed));
    expect(new Set(ends.map(({ status }) => status))).toEqual(new Set([Code.DeadlineExceeded]));
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
    // From here on every turn is over before sockets are read, as under load.
    let turns: NodeJS.Immediate | undefined;
    const hold = () => {
      isTurnOver();
      const endMs = performance.now() + 11;
      while (performance.now() < endMs);
      turns = setImmediate(hold);
    };
    hold();
    // The pongs tell how far the server is after each turn.
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
    // What Node.js reads at once.
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
  ])("10,000 %s for a handler that reads nothing", async (_, frame, isAnswered) => {
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
    for (let sent = 0; sent < 10_000; sent++) ws.send(frame);
    // The socket is read in pieces, of which the last may have been taken before it was held.
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
    ["does not read", true],
    ["reads", false],
  ])("50 MB to a handler whose client %s", async (_, isPaused) => {
    await using server = await startServer();
    const { ws, received } = await begin(server);
    if (isPaused) ws.pause();
    const message = say("a".repeat(100_000));
    for (let sent = 0; sent < 500; sent++) ws.send(message);
    ws.send(HALF_CLOSE);
    if (isPaused) {
      // The server holds back: once its own buffers and the network's are full, nothing moves.
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
      expect(received.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeGreaterThan(50_000_000);
    }
    ws.terminate();
  });
});

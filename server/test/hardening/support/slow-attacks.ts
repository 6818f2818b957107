/** Slowloris attacks: connections that begin something and then send a byte now and then, or nothing. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { END_HEADERS, END_STREAM, frame, HEADERS, headerBlock, PREFACE, SETTINGS } from "@rollcall/testing/raw/http2";
import { openRawSocket } from "@rollcall/testing/raw/web-socket";
import type { Attack } from "./byte-attacks.ts";
import type { MeasuredServer } from "./measured-server.ts";

const SOCKETS = 50;
const DRIP_MS = 1_000;
const CHAT = "/stream.v1.StreamService/BidirectionalStream";

interface Slow {
  readonly socket: Socket;
  /** Bytes to send later, one at a time. */
  readonly drip: Buffer;
}

/** Resolves when the server ends a connection's call or the connection. */
type Ending = (socket: Socket, server: MeasuredServer) => Promise<void>;

const closed: Ending = (socket) =>
  new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once("close", () => resolve());
  });

/**
 * For calls: the answer is their end. After it, the server waits for the rest of the body, so that a client can read
 * it.
 */
const answered: Ending = (socket, server) =>
  Promise.race([closed(socket, server), new Promise<void>((resolve) => socket.once("data", () => resolve()))]);

/** For calls over WebSockets: the status is their end, because the server also sends pings meanwhile. */
const hasStatus: Ending = (socket, server) => {
  const status = new Promise<void>((resolve) => {
    socket.on("data", (bytes: Buffer) => {
      if (bytes.includes("grpc-status")) resolve();
    });
  });
  return Promise.race([closed(socket, server), status]);
};

/** Attacks with {@link SOCKETS} simultaneous connections, until the server has ended all of them. */
function slowly(open: (server: MeasuredServer) => Promise<Slow>, ending = closed): Attack {
  return async (server) => {
    const startedAtMs = performance.now();
    let firstCutMs: number | undefined;
    const attack = async () => {
      const { socket, drip } = await open(server);
      let sent = 0;
      const timer = setInterval(() => {
        if (sent < drip.length) socket.write(drip.subarray(sent, ++sent));
      }, DRIP_MS);
      await ending(socket, server);
      clearInterval(timer);
      firstCutMs ??= performance.now() - startedAtMs;
      socket.destroy();
    };
    await Promise.all(Array.from({ length: SOCKETS }, attack));
    return { cut: SOCKETS, requests: SOCKETS, firstCutMs };
  };
}

/** Opens a connection, and sends the first bytes. */
async function begin(server: MeasuredServer, bytes: Uint8Array | string, drip: Uint8Array | string): Promise<Slow> {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {}).resume();
  await once(socket, "connect");
  socket.write(bytes);
  return { socket, drip: Buffer.from(drip) };
}

/** Returns the header of a call over HTTP/1.1, whose body follows. */
function beginCall(server: MeasuredServer, method: string, type: string, bodyBytes: number): string {
  return (
    `POST /${method} HTTP/1.1\r\nhost: a\r\ncontent-type: application/${type}\r\n` +
    `authorization: ${server.headers.authorization}\r\ncontent-length: ${bodyBytes}\r\n\r\n`
  );
}

const get = headerBlock({ ":method": "GET", ":scheme": "http", ":path": "/healthz", ":authority": "a" });
/** Header of a WebSocket frame of 60,000 bytes, with a mask that changes nothing. */
const frameHead = Buffer.of(0x82, 0x80 | 126, 0xea, 0x60, 0, 0, 0, 0);

/** Attacks by their rows in docs/attacks.md, except the one on TLS. */
export const slowAttacks: Readonly<Record<string, Attack>> = {
  "slowloris: no byte": slowly((server) => begin(server, "", "")),
  "slowloris in HTTP/2's preface": slowly((server) => begin(server, "", PREFACE)),
  "slowloris in HTTP/2's frame": slowly((server) =>
    begin(server, Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]), frame(HEADERS, END_HEADERS | END_STREAM, 1, get)),
  ),
  "slowloris in HTTP/2's header": slowly((server) =>
    begin(server, Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), frame(HEADERS, END_STREAM, 1, get)]), ""),
  ),
  "slowloris in HTTP/1.1's header": slowly((server) =>
    begin(server, "GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: ", "a".repeat(1_000)),
  ),
  "slowloris in the body of a unary call": slowly(
    (server) => begin(server, `${beginCall(server, "user.v1.UserService/GetUser", "json", 1_000)}{`, " ".repeat(999)),
    answered,
  ),
  "slowloris in the body of a stream": slowly(
    (server) => begin(server, `${beginCall(server, "stream.v1.StreamService/ClientStream", "connect+proto", 9)}\0`, ""),
    answered,
  ),
  "slowloris in a WebSocket's header": slowly(async (server) => {
    const upgrade =
      `GET ${CHAT} HTTP/1.1\r\nhost: localhost:${server.port}\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
      "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
      "sec-websocket-protocol: grpc-websockets\r\n\r\n";
    const slow = await begin(server, upgrade, Buffer.concat([frameHead, Buffer.alloc(1_000, "a")]));
    await answered(slow.socket, server);
    return slow;
  }, hasStatus),
  "slowloris in a WebSocket's frame": slowly(async (server) => {
    const block = `content-type: application/grpc-web+proto\r\nauthorization: ${server.headers.authorization}\r\n`;
    const { socket } = await openRawSocket(server, block, CHAT);
    socket.write(frameHead);
    // A piece that does not complete the frame shows the server that the frame is late.
    return { socket, drip: Buffer.alloc(1_000) };
  }, hasStatus),
};

/** Attack on a TLS server: the beginning of a ClientHello of 256 bytes. */
export const slowTlsHandshake: Attack = slowly((server) =>
  begin(server, Buffer.of(0x16, 3, 1, 1, 0, 1), Buffer.alloc(250)),
);

/** Attacks by bytes: by many, few, empty or compressed bytes, read and unread. */
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { DATA, frame, HEADERS, postTo, RawHttp2, RST_STREAM } from "@rollcall/testing/raw/http2";
import { openRawSocket } from "@rollcall/testing/raw/web-socket";
import { type BombOptions, sendBombs } from "./bombs.ts";
import { type AttackResult, unfinishedUploads, unreadLists } from "./http2-attacks.ts";
import type { MeasuredServer } from "./measured-server.ts";

const UPLOAD = "/stream.v1.StreamService/ClientStream";
const CHAT = "/stream.v1.StreamService/BidirectionalStream";
const LOOK_MS = 20;

/** Attack that lasts for a time, or until it has a result. */
export type Attack = (server: MeasuredServer, durationMs: number) => Promise<AttackResult>;

/** Keeps the clients open for the time, and reports when the first of them was ended. */
async function keepOpen(
  clients: readonly RawHttp2[],
  { startedAtMs, durationMs, requests }: { startedAtMs: number; durationMs: number; requests: number },
): Promise<AttackResult> {
  const isEnded = (client: RawHttp2) => client.isClosed || client.received.some(({ type }) => type === RST_STREAM);
  let firstCutMs: number | undefined;
  while (performance.now() - startedAtMs < durationMs && firstCutMs === undefined) {
    if (clients.some(isEnded)) firstCutMs = performance.now() - startedAtMs;
    else await delay(LOOK_MS);
  }
  const cut = clients.filter(isEnded).length;
  for (const client of clients) client.destroy();
  return { cut, requests, firstCutMs };
}

/** Asks for lists on connections whose windows are zero, and reads no answer. */
export const unreadAnswers: Attack = async (server, durationMs) => {
  const startedAtMs = performance.now();
  const options = { connections: 6, streams: 100, headers: { ...server.headers } };
  const clients = await unreadLists(server.port, options);
  return keepOpen(clients, { startedAtMs, durationMs, requests: 600 });
};

/** Asks for endless streams over HTTP/1.1, and reads no answer. */
export const unreadStreams: Attack = async (server) => {
  const startedAtMs = performance.now();
  const query = JSON.stringify({ query: "x".repeat(4_000) });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(query.length, 1);
  const call =
    `POST /stream.v1.StreamService/ServerStream HTTP/1.1\r\nhost: a\r\ncontent-type: application/connect+json\r\n` +
    `authorization: ${server.headers.authorization}\r\ncontent-length: ${5 + query.length}\r\n\r\n`;
  const sockets = Array.from({ length: 20 }, () => connect(server.port, "127.0.0.1"));
  for (const socket of sockets) {
    socket.on("error", () => {}).pause();
    socket.write(Buffer.concat([Buffer.from(call), head, Buffer.from(query)]));
  }
  // A socket that is not read does not report its end.
  const ended = async () =>
    (await server.logged("call")).filter(({ method }) => String(method).endsWith("/ServerStream")).length;
  while ((await ended()) === 0) await delay(5 * LOOK_MS);
  const firstCutMs = performance.now() - startedAtMs;
  while ((await ended()) < sockets.length) await delay(5 * LOOK_MS);
  for (const socket of sockets) socket.destroy();
  return { cut: sockets.length, requests: sockets.length, firstCutMs };
};

/** Begins uploads of messages of 4 MiB that never end. */
export const halfOpenUploads: Attack = async (server, durationMs) => {
  const startedAtMs = performance.now();
  const options = { streams: 256, headers: { ...server.headers }, quietMs: 100 };
  const { client } = await unfinishedUploads(server.port, options);
  return keepOpen([client], { startedAtMs, durationMs, requests: 256 });
};

/** Uploads without end, as fast as the server reads. Starts again after each refusal. */
export const endlessUpload: Attack = async (server, durationMs) => {
  const startedAtMs = performance.now();
  const chunk = Buffer.alloc(64 * 1_024);
  // The message has one field of bytes.
  const head = Buffer.from([0, 0, 0, 0, 0, 0x0a, 0x80, 0x80, 0x04]);
  head.writeUInt32BE(chunk.length + 4, 1);
  const message = Buffer.concat([head, chunk]);
  const client = http2.connect(server.url);
  client.on("error", () => {});
  let [requests, refused] = [0, 0];
  let firstCutMs: number | undefined;
  while (performance.now() - startedAtMs < durationMs) {
    const headers = { "content-type": "application/grpc", te: "trailers", ...server.headers };
    const stream = client.request({ ":method": "POST", ":path": UPLOAD, ...headers });
    stream.on("error", () => {}).resume();
    let isOver = false;
    const closed = new Promise<void>((resolve) => {
      stream.once("close", () => {
        isOver = true;
        resolve();
      });
    });
    while (!isOver && performance.now() - startedAtMs < durationMs) {
      if (!stream.write(message)) await Promise.race([once(stream, "drain").catch(() => {}), closed]);
    }
    requests += 1;
    if (isOver) {
      refused += 1;
      firstCutMs ??= performance.now() - startedAtMs;
    } else stream.destroy();
  }
  client.destroy();
  return { cut: refused, requests, firstCutMs };
};

/**
 * Claims messages of 4 GiB, with five bytes each.
 *
 * @throws Error if one is not refused.
 */
export const hugeClaims: Attack = async (server, durationMs) => {
  const startedAtMs = performance.now();
  const claims = [0xffff_ffff, 0x8000_0000, 0x4000_0000].map((bytes) => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(bytes, 1);
    return head;
  });
  let requests = 0;
  do {
    const client = await RawHttp2.open(server.port);
    const types = ["application/grpc", "application/grpc-web+proto", "application/connect+proto"];
    for (const claim of claims) {
      const streamIds = types.map((type) => {
        const streamId = client.request(postTo(UPLOAD, { "content-type": type, te: "trailers", ...server.headers }));
        client.send(frame(DATA, 0, streamId, claim));
        return streamId;
      });
      for (const streamId of streamIds) {
        // An answer before the body's end can only be a refusal.
        const answer = await client.next(({ type, streamId: id }) => id === streamId && type === HEADERS);
        if (!answer) throw new Error("a claim got no answer");
      }
      requests += streamIds.length;
    }
    client.destroy();
  } while (performance.now() - startedAtMs < durationMs);
  return { cut: 0, requests, firstCutMs: undefined, refused: requests };
};

/**
 * Sends bombs again and again.
 *
 * @throws Error if a bomb of an accepted size is refused, or if a larger one is not.
 */
export function bombs(options: BombOptions): Attack {
  return async (server, durationMs) => {
    const startedAtMs = performance.now();
    let [requests, refused] = [0, 0];
    do {
      const answers = await sendBombs(server.url, server.headers, options);
      requests += answers.length;
      refused += answers.filter((answer) => answer.includes("resource_exhausted")).length;
    } while (performance.now() - startedAtMs < durationMs);
    if (refused !== (options.bytes === undefined ? 0 : requests)) throw new Error(`${refused} of ${requests} refused`);
    return { cut: 0, requests, firstCutMs: undefined, ...(refused > 0 && { refused }) };
  };
}

/** Writes to new connections, one after the other, until the server ends each. */
async function writeUntilCut(
  durationMs: number,
  open: () => Promise<{ socket: Socket; bytes: Buffer }>,
): Promise<AttackResult> {
  const startedAtMs = performance.now();
  const isOver = () => performance.now() - startedAtMs > durationMs;
  let [cut, requests] = [0, 0];
  let firstCutMs: number | undefined;
  do {
    const { socket, bytes } = await open();
    // On a busy machine, the time may be over before the connection is open.
    do {
      const isTaken = socket.write(bytes);
      requests += 1;
      if (!isTaken) await Promise.race([once(socket, "drain"), once(socket, "close"), delay(LOOK_MS)]).catch(() => {});
      await delay(0);
    } while (!socket.destroyed && !isOver());
    if (socket.destroyed) {
      cut += 1;
      firstCutMs ??= performance.now() - startedAtMs;
    }
    socket.destroy();
  } while (!isOver());
  return { cut, requests, firstCutMs };
}

/** Uploads in chunks of one byte over HTTP/1.1. */
export const tinyChunks: Attack = (server, durationMs) =>
  writeUntilCut(durationMs, async () => {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {}).resume();
    socket.write(
      `POST ${UPLOAD} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n` +
        `content-type: application/connect+proto\r\nauthorization: ${server.headers.authorization}\r\n\r\n`,
    );
    return { socket, bytes: Buffer.from("1\r\n\0\r\n".repeat(2_000)) };
  });

/** Uploads empty messages over HTTP/1.1, a million each time. */
export const emptyMessages: Attack = async (server, durationMs) => {
  const startedAtMs = performance.now();
  let requests = 0;
  do {
    const request = http.request(server.url + UPLOAD, {
      method: "POST",
      headers: { ...server.headers, "content-type": "application/connect+proto" },
    });
    request.end(Buffer.alloc(5 * 1_000_000));
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    await once(response.resume(), "end");
    requests += 1;
  } while (performance.now() - startedAtMs < durationMs);
  return { cut: 0, requests, firstCutMs: undefined };
};

/**
 * Floods a WebSocket with frames, and does not read.
 *
 * @param masked Frame with its mask.
 */
export function webSocketFrames(masked: Buffer): Attack {
  return (server, durationMs) =>
    writeUntilCut(durationMs, async () => {
      const block = `content-type: application/grpc-web+proto\r\nauthorization: ${server.headers.authorization}\r\n`;
      const { socket } = await openRawSocket(server, block, CHAT);
      socket.pause();
      return { socket, bytes: Buffer.concat(new Array<Buffer>(2_000).fill(masked)) };
    });
}

/** Makes calls as one caller, 64 at the same time, as fast as they are answered. */
export const oneCaller: Attack = async (server, durationMs) => {
  const startedAtMs = performance.now();
  const headers = await server.headersFor({ subject: "eve" });
  const client = http2.connect(server.url);
  client.on("error", () => {});
  let [requests, refused] = [0, 0];
  const loop = async () => {
    do {
      const stream = client.request(postTo("/user.v1.UserService/GetUser", headers));
      stream.end('{"id":"x"}');
      const [answer] = (await once(stream, "response")) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
      await once(stream.resume(), "close");
      requests += 1;
      if (answer[":status"] === 429) refused += 1;
    } while (performance.now() - startedAtMs < durationMs);
  };
  await Promise.all(Array.from({ length: 64 }, loop));
  client.destroy();
  return { cut: 0, requests, firstCutMs: undefined, refused };
};

/** Opens 5,000 silent connections from one address. */
export const idleSockets: Attack = async (server, durationMs) => {
  const startedAtMs = performance.now();
  const sockets: Socket[] = [];
  let cut = 0;
  let firstCutMs: number | undefined;
  for (let i = 0; i < 5_000; i += 500) {
    const more = Array.from({ length: 500 }, () => connect(server.port, "127.0.0.1"));
    for (const socket of more) {
      socket.on("error", () => {}).resume();
      socket.on("close", () => {
        cut += 1;
        firstCutMs ??= performance.now() - startedAtMs;
      });
    }
    await Promise.all(more.map((socket) => once(socket, "connect").catch(() => {})));
    sockets.push(...more);
  }
  await delay(Math.max(0, durationMs - (performance.now() - startedAtMs)));
  const result = { cut, requests: 0, firstCutMs };
  for (const socket of sockets) socket.removeAllListeners("close").destroy();
  return result;
};

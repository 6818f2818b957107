import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { BODY, HALF_CLOSE, SUBPROTOCOL } from "@rollcall/shared/grpc-websockets";
import { notOpened, SocketReader } from "./grpc-websockets-reader.ts";

/**
 * Bytes of the body in one frame. The server accepts frames a little larger than a message, and a message can span
 * many.
 */
const MAX_FRAME_BYTES = 256 * 1024;
/** Most bytes that the browser may hold unsent. Above that, the request's messages wait. */
const MAX_UNSENT_BYTES = 1024 ** 2;
/** The same in a hidden tab. There, browsers run timers only once a minute, so the bytes have to last that long. */
const MAX_UNSENT_BYTES_HIDDEN = 16 * 1024 ** 2;
/**
 * Interval at which to check whether the buffer has emptied, in milliseconds, since WebSocket has no event for that.
 */
const UNSENT_CHECK_MS = 5;

export interface GrpcWebSocketsClientOptions {
  /** Most bytes of an answer that may wait to be read. Above that, a call fails with resource_exhausted. */
  maxQueuedBytes: number;
  /** How long a socket may take to open, in milliseconds. */
  connectTimeoutMs: number;
}

/**
 * Creates an HTTP client for the gRPC-Web protocol that sends each request over its own WebSocket, by the
 * `grpc-websockets` subprotocol. Unlike fetch, it streams request and answer at the same time.
 */
export function createGrpcWebSocketsClient({
  maxQueuedBytes,
  connectTimeoutMs,
}: GrpcWebSocketsClientOptions): UniversalClientFn {
  return async ({ url, header, body, signal }) => {
    signal?.throwIfAborted();
    const socket = new WebSocket(url.replace(/^http/, "ws"), [SUBPROTOCOL]);
    socket.binaryType = "arraybuffer";
    const reader = new SocketReader(socket, maxQueuedBytes);
    const end = (error: unknown) => {
      reader.fail(error);
      socket.close();
    };
    const cancel = () => end(signal?.reason);
    signal?.addEventListener("abort", cancel);
    for (const event of ["error", "close"])
      socket.addEventListener(event, () => signal?.removeEventListener("abort", cancel));
    // A proxy that does not know WebSockets may hold back the upgrade request, and browsers then wait for minutes.
    const opening = setTimeout(() => end(notOpened(connectTimeoutMs)), connectTimeoutMs);
    for (const event of ["open", "error", "close"]) socket.addEventListener(event, () => clearTimeout(opening));

    await reader.opened;
    let block = "";
    for (const [name, value] of header) block += `${name}: ${value}\r\n`;
    socket.send(new TextEncoder().encode(block));
    void sendBody(socket, body).catch(end);
    try {
      return { status: 200, header: await reader.header(), body: reader.body(), trailer: new Headers() };
    } catch (error) {
      socket.close();
      throw error;
    }
  };
}

async function sendBody(socket: WebSocket, body: AsyncIterable<Uint8Array> = noBytes()): Promise<void> {
  for await (const bytes of body) {
    for (let start = 0; start < bytes.byteLength; start += MAX_FRAME_BYTES) {
      await untilSent(socket);
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(tagged(BODY, bytes.subarray(start, start + MAX_FRAME_BYTES)));
    }
  }
  if (socket.readyState === WebSocket.OPEN) socket.send(tagged(HALF_CLOSE));
}

async function untilSent(socket: WebSocket): Promise<void> {
  // Without a page, as in a worker, `document` is missing, and the tab never counts as hidden.
  const { document } = globalThis as { document?: { readonly hidden: boolean } };
  const isFull = () => socket.bufferedAmount > (document?.hidden ? MAX_UNSENT_BYTES_HIDDEN : MAX_UNSENT_BYTES);
  while (isFull() && socket.readyState === WebSocket.OPEN) {
    await new Promise((resolve) => setTimeout(resolve, UNSENT_CHECK_MS));
  }
}

function tagged(tag: number, bytes: Uint8Array = new Uint8Array()): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(1 + bytes.byteLength);
  frame[0] = tag;
  frame.set(bytes, 1);
  return frame;
}

async function* noBytes(): AsyncIterable<Uint8Array> {}

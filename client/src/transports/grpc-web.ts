/** Transports for gRPC-Web: the part of the browser's client that is loaded on demand. */
import type { Transport } from "@connectrpc/connect";
import type { CommonTransportOptions } from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-grpc-web";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { MAX_TIMER_MS } from "@rollcall/shared/max-timer-ms";
import { createGrpcWebSocketsClient } from "./grpc-websockets.ts";

type WireOptions = Pick<CommonTransportOptions, "baseUrl" | "interceptors" | "useBinaryFormat">;

export interface WebSocketOptions {
  /** Largest message from the server, in bytes. Default 4 MiB. */
  readMaxBytes?: number | undefined;
  /** Most bytes of a WebSocket's answer that may wait to be read. Default 16 MiB. */
  maxQueuedBytes?: number | undefined;
  /** Time for a WebSocket to open, in milliseconds. After that its call is unavailable. Default 10 s. */
  connectTimeoutMs?: number | undefined;
}

/** Creates a transport for unary and server-streaming calls over fetch. */
export function createGrpcWebFetchTransport(wire: WireOptions & { fetch: typeof globalThis.fetch }): Transport {
  return createGrpcWebTransport(wire);
}

/** Creates a transport for calls of any kind, with a WebSocket for each. */
export function createWebSocketTransport(
  wire: WireOptions,
  { readMaxBytes = 4 * 1024 ** 2, maxQueuedBytes = 16 * 1024 ** 2, connectTimeoutMs = 10_000 }: WebSocketOptions,
): Transport {
  return createTransport({
    ...wire,
    httpClient: createGrpcWebSocketsClient({
      maxQueuedBytes,
      connectTimeoutMs: Math.min(connectTimeoutMs, MAX_TIMER_MS),
    }),
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: 0,
    readMaxBytes,
    writeMaxBytes: 0xffffffff,
  });
}

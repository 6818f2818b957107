import type { Transport } from "@connectrpc/connect";
import { createTransport as createGrpcWebTransport } from "@connectrpc/connect/protocol-grpc-web";
import { createAuthInterceptor } from "../../src/interceptors/auth.ts";
import { createFetchTransport, createGrpcWebFetchTransport } from "../../src/transports/fetch.ts";
import { createGrpcWebSocketsClient } from "../../src/transports/grpc-websockets.ts";

/** How a page can watch. */
export const PAGE_WAYS = ["Connect by fetch", "gRPC-Web by fetch", "gRPC-Web by WebSocket"] as const;
export type PageWay = (typeof PAGE_WAYS)[number];

/** Creates a transport for streams of the server, in a page or in Node. */
export function createWatchTransport(way: PageWay, baseUrl: string, token: string): Transport {
  const interceptors = [createAuthInterceptor({ token })];
  if (way === "Connect by fetch") return createFetchTransport({ baseUrl, interceptors });
  if (way === "gRPC-Web by fetch") return createGrpcWebFetchTransport({ baseUrl, interceptors });
  return createGrpcWebTransport({
    baseUrl,
    interceptors,
    httpClient: createGrpcWebSocketsClient({ maxQueuedBytes: 16 * 1_024 ** 2, openTimeoutMs: 100_000 }),
    useBinaryFormat: true,
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: 0,
    readMaxBytes: 4 * 1_024 ** 2,
    writeMaxBytes: 0xffffffff,
  });
}

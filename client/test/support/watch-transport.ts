import type { Transport } from "@connectrpc/connect";
import { createAuthInterceptor } from "../../src/interceptors/auth.ts";
import { createFetchTransport } from "../../src/transports/fetch.ts";
import { createWebSocketTransport } from "../../src/transports/grpc-web.ts";

/** Ways to watch from a page. */
export const PAGE_WAYS = ["Connect by fetch", "gRPC-Web by fetch", "gRPC-Web by WebSocket"] as const;
export type PageWay = (typeof PAGE_WAYS)[number];

/** Creates a transport for streams of the server, in a page or in Node. */
export function createWatchTransport(way: PageWay, baseUrl: string, token: string): Transport {
  const interceptors = [createAuthInterceptor({ token })];
  if (way === "gRPC-Web by WebSocket") {
    return createWebSocketTransport({ baseUrl, interceptors, useBinaryFormat: true }, { connectTimeoutMs: 100_000 });
  }
  return createFetchTransport({ baseUrl, interceptors, protocol: way === "Connect by fetch" ? "connect" : "grpc-web" });
}

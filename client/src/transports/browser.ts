import type { Transport } from "@connectrpc/connect";
import { createTransport as createGrpcWebTransport } from "@connectrpc/connect/protocol-grpc-web";
import { createResponseFaultInterceptor } from "../interceptors/response-faults.ts";
import { createWellFormedInterceptor } from "../interceptors/well-formed.ts";
import { withCheckedHeaders } from "../internal/checked-headers.ts";
import { parseServerAddress } from "../internal/server-address.ts";
import { createFetchTransport, type FetchTransportOptions } from "./fetch.ts";
import { createGrpcWebSocketsClient } from "./grpc-websockets.ts";

export interface BrowserTransportOptions extends FetchTransportOptions {
  /** Largest message to accept from a WebSocket, in bytes. Default 4 MiB. */
  readMaxBytes?: number;
  /** Most bytes of a WebSocket's answer that may wait to be read. Default 16 MiB. */
  maxQueuedBytes?: number;
  /** How long a WebSocket may take to open, in milliseconds. After that its call is unavailable. Default 10 s. */
  openTimeoutMs?: number;
}

/**
 * Creates a transport for all four kinds of calls from a browser. Unary and server-streaming ones go over fetch.
 * Client-streaming and bidirectional ones, which fetch can't carry, go by gRPC-Web over a WebSocket each.
 *
 * @throws TypeError for a baseUrl that {@link parseServerAddress} refuses.
 */
export function createBrowserTransport(options: BrowserTransportOptions): Transport {
  const { readMaxBytes = 4 * 1024 ** 2, maxQueuedBytes = 16 * 1024 ** 2, openTimeoutMs = 10_000, ...common } = options;
  const byFetch = createFetchTransport(common);
  const bySocket = withCheckedHeaders(
    createGrpcWebTransport({
      ...common,
      baseUrl: parseServerAddress(common.baseUrl).href,
      interceptors: [...(common.interceptors ?? []), createWellFormedInterceptor(), createResponseFaultInterceptor()],
      httpClient: createGrpcWebSocketsClient({ maxQueuedBytes, openTimeoutMs }),
      useBinaryFormat: true,
      acceptCompression: [],
      sendCompression: null,
      compressMinBytes: 0,
      readMaxBytes,
      writeMaxBytes: 0xffffffff,
    }),
  );
  return {
    unary: byFetch.unary.bind(byFetch),
    stream: (method, ...call) =>
      (method.methodKind === "server_streaming" ? byFetch : bySocket).stream(method, ...call),
  };
}

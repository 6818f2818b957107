import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createTransport as createGrpcWebTransport } from "@connectrpc/connect/protocol-grpc-web";
import { createConnectTransport } from "@connectrpc/connect-web";
import { createGrpcWebSocketsClient } from "./grpc-websockets.ts";

export interface BrowserTransportOptions {
  /** Where the server is, as `https://rollcall.example.com`. */
  baseUrl: string;
  /** Around every call; the first is the outermost. */
  interceptors?: Interceptor[];
  /** Deadline of calls that set none, in milliseconds. Default: the server's. */
  defaultTimeoutMs?: number;
  /** Largest message to take, in bytes. Default 4 MiB. */
  readMaxBytes?: number;
  /** The largest part of a WebSocket's answer that may wait to be read, in bytes. Default 16 MiB. */
  maxQueuedBytes?: number;
}

/**
 * All four kinds of calls from a browser: unary and server-streaming ones by the
 * Connect protocol over fetch, reads as GET; client-streaming and bidirectional
 * ones, which fetch can't carry, by gRPC-Web over a WebSocket each.
 */
export function createBrowserTransport(options: BrowserTransportOptions): Transport {
  const { baseUrl, defaultTimeoutMs, readMaxBytes = 4 * 1024 ** 2 } = options;
  const interceptors = [...(options.interceptors ?? []), tellNetworkErrors];
  const timeout = defaultTimeoutMs === undefined ? {} : { defaultTimeoutMs };
  const byFetch = createConnectTransport({
    baseUrl,
    interceptors,
    useBinaryFormat: true,
    useHttpGet: true,
    ...timeout,
  });
  const bySocket = createGrpcWebTransport({
    ...timeout,
    baseUrl,
    interceptors,
    httpClient: createGrpcWebSocketsClient({ maxQueuedBytes: options.maxQueuedBytes ?? 16 * 1024 ** 2 }),
    useBinaryFormat: true,
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: 0,
    readMaxBytes,
    writeMaxBytes: 0xffffffff,
  });
  return {
    unary: byFetch.unary.bind(byFetch),
    stream: (method, ...call) =>
      (method.methodKind === "server_streaming" ? byFetch : bySocket).stream(method, ...call),
  };
}

/** What fetch throws when the network fails, a TypeError in words of the browser's own, becomes unavailable. */
const tellNetworkErrors: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: tellEach(response.message) } : response;
  } catch (error) {
    throw toUnavailable(error);
  }
};

async function* tellEach<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw toUnavailable(error);
  }
}

function toUnavailable(error: unknown): unknown {
  const cause = error instanceof ConnectError ? error.cause : error;
  if (!(cause instanceof TypeError)) return error;
  return new ConnectError("network error", Code.Unavailable, undefined, undefined, cause);
}

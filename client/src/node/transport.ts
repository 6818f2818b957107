import type { Interceptor, Transport } from "@connectrpc/connect";
import { type CommonTransportOptions, validateReadWriteMaxBytes } from "@connectrpc/connect/protocol";
import { createTransport as createConnect } from "@connectrpc/connect/protocol-connect";
import { createTransport as createGrpc } from "@connectrpc/connect/protocol-grpc";
import { createTransport as createGrpcWeb } from "@connectrpc/connect/protocol-grpc-web";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { createResponseFaultInterceptor } from "../interceptors/response-faults.ts";
import { createWellFormedInterceptor } from "../interceptors/well-formed.ts";
import { withCheckedHeaders } from "../internal/checked-headers.ts";
import { rejectForeignAnswers } from "../internal/foreign-answer.ts";
import { parseServerAddress } from "../internal/server-address.ts";
import { withTimeout } from "../transports/timeout.ts";
import { createHttp1Client } from "./http/http1-client.ts";
import { createHttp2Client } from "./http/http2-client.ts";
import { type PoolOptions, toPoolSettings } from "./http/pool-options.ts";
import { loadTls, type TlsFiles } from "./tls-files.ts";

export interface NodeTransportOptions {
  /**
   * Address of the server, such as `https://rollcall.example.com`. With several addresses, calls are spread over those
   * that work. A path, for a server behind a proxy, is the same for all.
   */
  baseUrl: string | readonly string[];
  /** Default "grpc". */
  protocol?: "grpc" | "grpc-web" | "connect" | undefined;
  /** Default "2". Over "1.1" there is no gRPC, and no stream in both directions at once. */
  httpVersion?: "1.1" | "2" | undefined;
  tls?: TlsFiles | undefined;
  pool?: PoolOptions | undefined;
  /** Deadline of unary calls that set none, in milliseconds. Default: the server's. */
  timeoutMs?: number | undefined;
  /** Largest message from the server, in bytes. Default 4 MiB. */
  readMaxBytes?: number | undefined;
  /** Whether messages are sent in the binary format, and not in JSON. Default true. */
  useBinaryFormat?: boolean | undefined;
  /** How messages from `compressMinBytes` on are compressed. Default: not at all. */
  sendCompression?: keyof typeof compressions | undefined;
  /** Smallest message to compress, in bytes. Default 1 KiB. */
  compressMinBytes?: number | undefined;
  /** Whether Connect sends reads as GET. Default false: proxies may log the messages in its query. */
  useHttpGet?: boolean | undefined;
  interceptors?: readonly Interceptor[] | undefined;
}

const compressions = { gzip: compressionGzip, br: compressionBrotli };

/** A Connect transport over a pool of connections. It has to be closed. */
export interface NodeTransport extends Transport {
  /** Lets open calls finish, for `pool.closeTimeoutMs` at most, and closes the connections. */
  close(): Promise<void>;
}

/** @throws TypeError for a baseUrl that {@link parseServerAddress} refuses, paths that differ, and gRPC over HTTP/1.1. */
export function createNodeTransport(options: NodeTransportOptions): NodeTransport {
  const { protocol = "grpc", httpVersion = "2", readMaxBytes = 4 * 1024 ** 2 } = options;
  const { useBinaryFormat = true, sendCompression, compressMinBytes, useHttpGet = false } = options;
  const urls = [options.baseUrl].flat().map(parseServerAddress);
  const [first] = urls;
  if (!first) throw new TypeError("baseUrl must not be empty");
  if (urls.some(({ pathname }) => pathname !== first.pathname)) throw new TypeError("all addresses need the same path");
  const origins = urls.map(({ origin }) => origin);
  const tls = loadTls(options.tls);
  const settings = toPoolSettings(options.pool);
  if (protocol === "grpc" && httpVersion === "1.1") {
    throw new TypeError("gRPC needs HTTP/2: over HTTP/1.1, the protocol is connect or grpc-web");
  }

  const http =
    httpVersion === "2" ? createHttp2Client(origins, tls, settings) : createHttp1Client(origins, tls, settings);
  const transportOptions: CommonTransportOptions = {
    httpClient: rejectForeignAnswers(http.send),
    baseUrl: first.href,
    useBinaryFormat,
    useHttpGet,
    interceptors: [...(options.interceptors ?? []), createWellFormedInterceptor(), createResponseFaultInterceptor()],
    acceptCompression: [compressionGzip, compressionBrotli],
    sendCompression: sendCompression ? compressions[sendCompression] : null,
    ...validateReadWriteMaxBytes(readMaxBytes, undefined, compressMinBytes),
  };
  const create = { grpc: createGrpc, "grpc-web": createGrpcWeb, connect: createConnect }[protocol];
  const transport = withTimeout(withCheckedHeaders(create(transportOptions)), options.timeoutMs);
  return { ...transport, close: () => http.close() };
}

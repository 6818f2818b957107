import http, { type IncomingMessage } from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { BlockList } from "node:net";
import type stream from "node:stream";
import { readCertificates, toPem } from "@rollcall/pem";
import { SMALL_WINDOW_BYTES } from "./stream-windows.ts";
import type { Allowance } from "./token-bucket.ts";

export interface TlsOptions {
  /** PEM, with the intermediate certificates. */
  cert: string | Buffer;
  key: string | Buffer;
  /** PEM. When set, only clients with a certificate of this authority are accepted (mutual TLS). */
  clientCa?: string | Buffer | undefined;
}

/** Limits on what connections may take up. */
export interface ConnectionLimits {
  /** Open connections on one address; more are closed at once. Default 4096. */
  maxConnections: number;
  /**
   * Open connections from one address, an IPv6 address counting as its /64; more are closed at once. Default 1024: a
   * quarter of all, for clients that share an address behind a NAT.
   */
  maxConnectionsPerAddress: number;
  /** Proxies, whose connections carry many clients. Limits by address do not apply to them. Default none. */
  trustedProxies: BlockList;
  /**
   * Bytes that the calls of one connection may hold: incomplete requests, and answers that have not left. Over it none
   * of its further calls begins, and calls that do not move are ended. Default 8 MiB.
   */
  maxConnectionBytes: number;
  /** The same for all connections together. Default 256 MiB. */
  maxHeldBytes: number;
  /**
   * Pieces of a body, such as an HTTP/2 frame, of less than 5 bytes. Counted by connection, or by address until the
   * gate has let one of the connection's calls in; over it the connection is closed. Default 4096 and 2048 a second: no
   * honest client cuts a body like that, and each piece costs much more than its bytes.
   */
  tinyPieces: Allowance;
  /**
   * Streams that are reset on connections before the gate has let in one of their calls, counted by address; over it
   * the next connection to do so is closed. Default 512 and 256 a second: a client may drop all its calls while they
   * wait for its identity provider, and do so again a second later.
   */
  strangerResets: Allowance;
  /**
   * Bytes of HTTP/2 headers, decompressed, on such connections, not counting the first KiB of each request. Default 1
   * MiB and 512 KiB a second: 256 calls at once with tokens of 4 KiB.
   */
  strangerHeaderBytes: Allowance;
  /** Streams open at once on one HTTP/2 connection. Default 256. */
  maxConcurrentStreams: number;
  /** Request line and headers, or an HTTP/2 header list, in bytes. Default 16 KiB. */
  maxHeaderBytes: number;
  /**
   * Time for a TLS handshake, for the first request to come, and for a header once it has begun, in milliseconds.
   * Default 10 s.
   */
  handshakeTimeoutMs: number;
  /** How long a connection without a request stays open, in milliseconds. Default 2 min. */
  idleTimeoutMs: number;
  /**
   * How long an HTTP/1.1 connection has to be without a request before a stopping server closes it, in milliseconds.
   * Default 500: many times what a client needs between an answer and its next request.
   */
  idleBeforeCloseMs: number;
}

export const defaultConnectionLimits: ConnectionLimits = {
  maxConnections: 4_096,
  maxConnectionsPerAddress: 1_024,
  trustedProxies: new BlockList(),
  maxConnectionBytes: 8 * 1024 ** 2,
  maxHeldBytes: 256 * 1024 ** 2,
  tinyPieces: { burst: 4_096, perSecond: 2_048 },
  strangerResets: { burst: 512, perSecond: 256 },
  strangerHeaderBytes: { burst: 1024 ** 2, perSecond: 512 * 1_024 },
  maxConcurrentStreams: 256,
  maxHeaderBytes: 16 * 1_024,
  handshakeTimeoutMs: 10_000,
  idleTimeoutMs: 120_000,
  idleBeforeCloseMs: 500,
};

/** Bytes of its body that a request may hold beyond its stream's window: one frame of the usual size. */
const REQUEST_QUEUE_BYTES = 16 * 1_024;
/**
 * Streams that a client may reset before its connection is closed: many times `maxConcurrentStreams`. Dropping all
 * calls at once, even repeatedly, is no attack; a rapid reset (CVE-2023-44487) is cut off within a second.
 */
const STREAM_RESET_BURST = 4_096;
const STREAM_RESETS_PER_SECOND = 512;
/** How often Node looks for connections that have exceeded their time. */
const CHECK_INTERVAL_MS = 1_000;
export const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };

/** Creates an HTTP/1.1 server, over TLS if `tls` is given. Its handshake then offers HTTP/2 too. */
export function createHttp1Server(
  handler: http.RequestListener,
  limits: ConnectionLimits,
  tls?: TlsOptions,
): http.Server {
  const options: http.ServerOptions = {
    ...SOCKET_OPTIONS,
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.handshakeTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    // Node's limit for a whole request would cut long uploads. The reader of a body bounds it instead.
    requestTimeout: 0,
    // Node would refuse a request without a Host with an empty answer. `hasValidHost` checks it instead.
    requireHostHeader: false,
    // Any other upgrade, such as to h2c, is a request like others.
    shouldUpgradeCallback: isWebSocketUpgrade,
  };
  const server = tls
    ? https.createServer(
        {
          ...options,
          cert: wholeChain(tls.cert),
          key: tls.key,
          minVersion: "TLSv1.2",
          ALPNProtocols: ["h2", "http/1.1"],
          handshakeTimeout: limits.handshakeTimeoutMs,
          ...(tls.clientCa && { ca: wholeChain(tls.clientCa), requestCert: true, rejectUnauthorized: true }),
        },
        handler,
      )
    : http.createServer(options, handler);
  server.maxConnections = limits.maxConnections;
  return server;
}

/**
 * Returns all certificates of a text, in a form that OpenSSL reads completely. @throws PemError when one can't be read.
 */
function wholeChain(pem: string | Buffer): string {
  return toPem(readCertificates(pem.toString()));
}

/**
 * Creates an HTTP/2 server that does not listen: connections are handed to it.
 *
 * @param takeStream Gets each stream first; if it returns true, the handler does not get its request.
 */
export function createHttp2Server(
  handler: http.RequestListener,
  limits: ConnectionLimits,
  takeStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => boolean,
): http2.Http2Server {
  const server = http2.createServer(
    {
      settings: {
        maxConcurrentStreams: limits.maxConcurrentStreams,
        maxHeaderListSize: limits.maxHeaderBytes,
        initialWindowSize: SMALL_WINDOW_BYTES,
        enablePush: false,
      },
      maxHeaderListPairs: maxHeaderFields(limits.maxHeaderBytes),
      Http2ServerRequest: ShortQueueRequest,
      streamResetBurst: STREAM_RESET_BURST,
      streamResetRate: STREAM_RESETS_PER_SECOND,
    },
    (request, response) => {
      // Fastify's handler takes the requests and responses of both versions.
      handler(
        request as unknown as http.IncomingMessage,
        response as unknown as http.ServerResponse<http.IncomingMessage> & { req: http.IncomingMessage },
      );
    },
  );
  // Node has a stream listener of its own, which makes a request and a response of every stream.
  const [makeRequest] = server.listeners("stream");
  if (!makeRequest) throw new Error("this Node.js does not make requests by a listener");
  server.removeAllListeners("stream");
  server.on("stream", (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, ...rest) => {
    if (!takeStream(stream, headers)) makeRequest.call(server, stream, headers, ...rest);
  });
  return server;
}

/**
 * Returns how many header fields Node accepts over HTTP/2 before it resets the stream. Node also announces its limit in
 * bytes, but accepts four times as much: up to there both get an answer (`refuseUnknown`). A field counts 32 bytes at
 * least (RFC 9113, 6.5.2).
 */
function maxHeaderFields(maxHeaderBytes: number): number {
  return Math.ceil((4 * maxHeaderBytes) / 32);
}

/** Request that passes its body on instead of buffering another window of it. */
class ShortQueueRequest extends http2.Http2ServerRequest {
  constructor(
    stream: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
    options: stream.ReadableOptions,
    rawHeaders: readonly string[],
  ) {
    super(stream, headers, { ...options, highWaterMark: REQUEST_QUEUE_BYTES }, rawHeaders);
  }
}

/**
 * Returns whether a request asks for a WebSocket, by a GET without a body (RFC 6455, 4.1). Any other upgrade, such as
 * to h2c, is ignored, as HTTP allows (RFC 9110, 7.8).
 */
function isWebSocketUpgrade({ method, headers }: IncomingMessage): boolean {
  const { "content-length": length = "0", "transfer-encoding": coding } = headers;
  const isEmpty = length === "0" && coding === undefined;
  return method === "GET" && isEmpty && headers.upgrade?.toLowerCase() === "websocket";
}

import http, { type IncomingMessage } from "node:http";
import http2 from "node:http2";
import https from "node:https";
import type stream from "node:stream";
import tls from "node:tls";
import { readCertificates, toPem } from "@rollcall/pem";
import { type ConnectionLimits, MAX_REJECTED_STREAMS, STREAM_RESETS } from "../../limits.ts";
import type { ClientScopes } from "../../rpc/auth/client-certificate.ts";
import { SMALL_WINDOW_BYTES } from "./stream-windows.ts";
import { trimFields } from "./trim-fields.ts";

export interface TlsOptions {
  /** PEM, with the intermediate certificates. */
  cert: string | Buffer;
  key: string | Buffer;
  /** PEM. When set, only clients with a certificate of this authority are accepted (mutual TLS). */
  clientCa?: string | Buffer | undefined;
  /** Scopes of clients that need no token, by an identity of their certificates. Default: none. */
  clientScopes?: ClientScopes | undefined;
}

/** Bytes of its body that a request may hold beyond its stream's window: one frame of the usual size. */
const REQUEST_QUEUE_BYTES = 16 * 1_024;
/** How often Node looks for connections that have exceeded their time. */
const CHECK_INTERVAL_MS = 1_000;
export const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };

/** Creates an HTTP/1.1 server, over TLS if `tlsOptions` are given. Its handshake then offers HTTP/2 too. */
export function createHttp1Server(
  handler: http.RequestListener,
  limits: ConnectionLimits,
  tlsOptions?: TlsOptions,
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
  const server = tlsOptions
    ? https.createServer(
        {
          ...options,
          ...contextOptions(tlsOptions),
          ALPNProtocols: ["h2", "http/1.1"],
          handshakeTimeout: limits.handshakeTimeoutMs,
          ...(tlsOptions.clientCa && { requestCert: true, rejectUnauthorized: true }),
        },
        handler,
      )
    : http.createServer(options, handler);
  server.maxConnections = limits.maxConnections;
  return server;
}

/**
 * Gives a TLS server other certificates for the handshakes that begin from now on; open connections stay as they are.
 * No session of before is resumed, so a client that only the old authorities knew has to show a certificate again.
 *
 * @throws PemError or OpenSSL's error when they can't be used; the server then keeps those that it has.
 */
export function replaceCertificates(server: https.Server, tlsOptions: TlsOptions): void {
  const options = contextOptions(tlsOptions);
  // `setSecureContext` forgets the old ones before it fails.
  tls.createSecureContext(options);
  server.setSecureContext(options);
}

function contextOptions({ cert, key, clientCa }: TlsOptions): tls.SecureContextOptions {
  return {
    cert: wholeChain(cert),
    key,
    minVersion: "TLSv1.2",
    ...(clientCa !== undefined && { ca: wholeChain(clientCa) }),
  };
}

/** Gets each HTTP/2 stream ahead of all else. Returns whether it has taken it. */
export type TakeStream = (
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  rawHeaders: readonly string[],
) => boolean;

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
  takeStream: TakeStream,
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
      maxSessionRejectedStreams: MAX_REJECTED_STREAMS,
      streamResetBurst: STREAM_RESETS.burst,
      streamResetRate: STREAM_RESETS.perSecond,
      // `trimFields` does what it should.
      strictFieldWhitespaceValidation: false,
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
  server.on("stream", (stream: http2.ServerHttp2Stream, headers, flags, rawHeaders) => {
    trimFields(headers, rawHeaders);
    if (takeStream(stream, headers, rawHeaders)) return;
    if (stream.destroyed || stream.closed) {
      // Its client has given it up in the same packet. Node would answer `expect: 100-continue` at once, and throw.
      stream.on("error", ignore);
      stream.destroy();
    } else makeRequest.call(server, stream, headers, flags, rawHeaders);
  });
  return server;
}

function ignore(): void {}

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

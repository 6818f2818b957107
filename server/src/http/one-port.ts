import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import type { TLSSocket } from "node:tls";
import { acceptPlaintext } from "./accept-plaintext.ts";
import { keepSessionAlive } from "./session-keepalive.ts";

export interface TlsOptions {
  /** PEM, with the intermediate certificates. */
  cert: string | Buffer;
  key: string | Buffer;
  /** PEM; when set, only clients with a certificate of this authority get in (mutual TLS). */
  clientCa?: string | Buffer | undefined;
}

/** Bounds of what connections may take up. */
export interface ConnectionLimits {
  /** Open connections on one address; more are closed at once. Default 4096. */
  maxConnections: number;
  /** Streams open at once on one HTTP/2 connection. Default 256. */
  maxConcurrentStreams: number;
  /** Request line and headers, or an HTTP/2 header list, in bytes. Default 16 KiB. */
  maxHeaderBytes: number;
  /** For a TLS handshake, and for a request's header once it has begun, in milliseconds. Default 10 s. */
  handshakeTimeoutMs: number;
  /** How long a connection without a request stays open, in milliseconds. Default 2 min. */
  idleTimeoutMs: number;
}

export const defaultConnectionLimits: ConnectionLimits = {
  maxConnections: 4_096,
  maxConcurrentStreams: 256,
  maxHeaderBytes: 16 * 1_024,
  handshakeTimeoutMs: 10_000,
  idleTimeoutMs: 120_000,
};

/** What a stream, and a connection's streams together, may send before it is read: the lever of upload speed. */
const STREAM_WINDOW_BYTES = 1024 ** 2;
const CONNECTION_WINDOW_BYTES = 4 * 1024 ** 2;
/**
 * Streams that a client may reset before its connection is closed: many times
 * maxConcurrentStreams, so that dropping all calls at once, again and again, is no
 * attack, while a rapid reset (CVE-2023-44487) is cut off within a second.
 */
const STREAM_RESET_BURST = 4_096;
const STREAM_RESETS_PER_SECOND = 512;
/** How often Node looks for connections that are over their time. */
const CHECK_INTERVAL_MS = 1_000;
/** How often a closing server looks for connections that have become idle. */
const REAP_INTERVAL_MS = 50;

const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };

export interface OnePortOptions {
  /** Serve TLS instead of plaintext. */
  tls?: TlsOptions | undefined;
  limits: ConnectionLimits;
  /** Connections still busy this many milliseconds after `close` are cut. */
  closeTimeoutMs: number;
}

export interface OnePort {
  /**
   * Its `close` stops listening, sends GOAWAY, lets what is under way finish, and
   * cuts what is left after closeTimeoutMs.
   */
  readonly server: http.Server;
  /** Takes connections from a further address too, such as the other loopback family's. */
  listenAlso(address: net.ListenOptions): Promise<void>;
}

/**
 * An HTTP server that speaks HTTP/1.1 and HTTP/2 on one port: told apart by ALPN
 * with TLS, by the client's connection preface (RFC 9113, 3.4) without.
 *
 * It is a real `http.Server` or `https.Server`, so that Node's own limits and
 * timeouts apply; only the step from a connection to a protocol is replaced. An
 * HTTP/2 server that never listens takes over the connections that speak it.
 */
export function createOnePort(handler: http.RequestListener, options: OnePortOptions): OnePort {
  const { tls, limits, closeTimeoutMs } = options;
  const server = createHttp1Server(handler, limits, tls);
  const http2Server = createHttp2Server(handler, limits);
  const connectionEvent = tls ? "secureConnection" : "connection";
  const [acceptHttp1] = server.listeners(connectionEvent);
  if (!acceptHttp1) throw new Error(`this Node.js does not handle '${connectionEvent}' by a listener`);
  server.removeAllListeners(connectionEvent);
  const accept = (socket: net.Socket, isHttp2: boolean) => {
    if (isHttp2) http2Server.emit("connection", socket);
    else acceptHttp1.call(server, socket);
  };

  const undecided = new Set<net.Socket>();
  if (tls) {
    server.on(connectionEvent, (socket: TLSSocket) => accept(socket, socket.alpnProtocol === "h2"));
  } else {
    server.on(connectionEvent, (socket: net.Socket) => {
      undecided.add(socket);
      const decided = () => undecided.delete(socket);
      socket.once("close", decided);
      acceptPlaintext(socket, limits.handshakeTimeoutMs, (isHttp2) => {
        socket.off("close", decided);
        decided();
        accept(socket, isHttp2);
      });
    });
  }

  const sessions = new Set<http2.ServerHttp2Session>();
  http2Server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    keepSessionAlive(session, limits.idleTimeoutMs);
  });

  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });

  const listeners: net.Server[] = [];
  const closeServer = server.close.bind(server);
  server.close = (callback) => {
    const reaper = setInterval(() => server.closeIdleConnections(), REAP_INTERVAL_MS);
    const cutter = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, closeTimeoutMs);
    for (const socket of undecided) socket.destroy();
    for (const session of sessions) session.close();
    const closed = listeners.map((listener) => new Promise<void>((resolve) => listener.close(() => resolve())));
    return closeServer(async (error) => {
      await Promise.all(closed);
      clearInterval(reaper);
      clearTimeout(cutter);
      callback?.(error);
    });
  };

  return {
    server,
    async listenAlso(address) {
      const listener = net.createServer({ ...SOCKET_OPTIONS, allowHalfOpen: true });
      listener.maxConnections = limits.maxConnections;
      listener.on("connection", (socket) => server.emit("connection", socket));
      listener.listen(address);
      await once(listener, "listening");
      listeners.push(listener);
    },
  };
}

function createHttp1Server(handler: http.RequestListener, limits: ConnectionLimits, tls?: TlsOptions): http.Server {
  const options: http.ServerOptions = {
    ...SOCKET_OPTIONS,
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.handshakeTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    // Node's limit for a whole request would cut long uploads; what reads a body bounds it.
    requestTimeout: 0,
  };
  const server = tls
    ? https.createServer(
        {
          ...options,
          cert: tls.cert,
          key: tls.key,
          minVersion: "TLSv1.2",
          ALPNProtocols: ["h2", "http/1.1"],
          handshakeTimeout: limits.handshakeTimeoutMs,
          ...(tls.clientCa && { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
        },
        handler,
      )
    : http.createServer(options, handler);
  server.maxConnections = limits.maxConnections;
  return server;
}

function createHttp2Server(handler: http.RequestListener, limits: ConnectionLimits): http2.Http2Server {
  return http2.createServer(
    {
      settings: {
        maxConcurrentStreams: limits.maxConcurrentStreams,
        maxHeaderListSize: limits.maxHeaderBytes,
        initialWindowSize: STREAM_WINDOW_BYTES,
        enablePush: false,
      },
      streamResetBurst: STREAM_RESET_BURST,
      streamResetRate: STREAM_RESETS_PER_SECOND,
    },
    (request, response) => {
      // Node tells HTTP/2 clients its limit, and then lets them send four times as much.
      if (headerListSize(request.rawHeaders) > limits.maxHeaderBytes) {
        response.writeHead(431).end();
        return;
      }
      // Fastify's handler takes the requests and responses of both versions.
      handler(
        request as unknown as http.IncomingMessage,
        response as unknown as http.ServerResponse<http.IncomingMessage> & { req: http.IncomingMessage },
      );
    },
  );
}

/** As SETTINGS_MAX_HEADER_LIST_SIZE counts it (RFC 9113, 6.5.2), in bytes; 32 are for each field. */
function headerListSize(rawHeaders: readonly string[]): number {
  return rawHeaders.reduce((size, text) => size + text.length, rawHeaders.length * 16);
}

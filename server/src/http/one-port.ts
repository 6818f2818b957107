import { once } from "node:events";
import type http from "node:http";
import type http2 from "node:http2";
import net from "node:net";
import type { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import { acceptPlaintext } from "./accept-plaintext.ts";
import { guardRequests } from "./guard-requests.ts";
import { createGuards } from "./guards.ts";
import {
  type ConnectionLimits,
  createHttp1Server,
  createHttp2Server,
  SOCKET_OPTIONS,
  type TlsOptions,
} from "./node-servers.ts";
import { boundPipelining } from "./pipelining.ts";
import { keepSessionAlive } from "./session-keepalive.ts";

/** What a connection's streams together may send before it is read: the lever of upload speed. */
const CONNECTION_WINDOW_BYTES = 4 * 1024 ** 2;
/** How often a closing server looks for connections that have become idle. */
const REAP_INTERVAL_MS = 50;

export interface OnePortOptions {
  /** Serve TLS instead of plaintext. */
  tls?: TlsOptions | undefined;
  limits: ConnectionLimits;
  /** Connections still busy this many milliseconds after `close` are cut. */
  closeTimeoutMs: number;
  logger: Logger;
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
  const { tls, limits, closeTimeoutMs, logger } = options;
  const guards = createGuards(limits, logger);
  const guarded = guardRequests(handler);
  const server = createHttp1Server(boundPipelining(guarded, limits.maxConcurrentStreams), limits, tls);
  const http2Server = createHttp2Server(guarded, limits);
  const connectionEvent = tls ? "secureConnection" : "connection";
  const [acceptHttp1] = server.listeners(connectionEvent);
  if (!acceptHttp1) throw new Error(`this Node.js does not handle '${connectionEvent}' by a listener`);
  server.removeAllListeners(connectionEvent);
  /** Connections that have not said yet what they speak; a TLS socket and the one below it have the same name. */
  const undecided = new Map<string, net.Socket>();
  const nameOf = ({ remoteAddress, remotePort }: net.Socket) => `${remoteAddress} ${remotePort}`;
  const accept = (socket: net.Socket, isHttp2: boolean) => {
    undecided.delete(nameOf(socket));
    if (isHttp2) {
      // The session begins at once, and does not give its socket away.
      http2Server.once("session", (session) => guards.guardHttp2(session, socket));
      http2Server.emit("connection", socket);
    } else {
      guards.guardHttp1(socket);
      acceptHttp1.call(server, socket);
    }
  };

  if (tls) {
    server.on(connectionEvent, (socket: TLSSocket) => accept(socket, socket.alpnProtocol === "h2"));
  } else {
    server.on(connectionEvent, (socket: net.Socket) => {
      acceptPlaintext(socket, limits.handshakeTimeoutMs, (isHttp2) => accept(socket, isHttp2));
    });
  }

  const sessions = new Set<http2.ServerHttp2Session>();
  let isClosing = false;
  http2Server.on("session", (session) => {
    // Its handshake was under way when the server began to close.
    if (isClosing) session.close();
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    keepSessionAlive(session, limits.idleTimeoutMs);
  });

  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    if (!guards.admit(socket)) return;
    const name = nameOf(socket);
    sockets.add(socket);
    undecided.set(name, socket);
    socket.once("close", () => {
      sockets.delete(socket);
      if (undecided.get(name) === socket) undecided.delete(name);
    });
  });

  const listeners: net.Server[] = [];
  const closeServer = server.close.bind(server);
  server.close = (callback) => {
    isClosing = true;
    const reaper = setInterval(() => server.closeIdleConnections(), REAP_INTERVAL_MS);
    const cutter = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, closeTimeoutMs);
    for (const socket of undecided.values()) socket.destroy();
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

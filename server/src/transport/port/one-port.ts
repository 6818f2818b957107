import { once } from "node:events";
import type http from "node:http";
import type http2 from "node:http2";
import type https from "node:https";
import net from "node:net";
import { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import { CONNECTION_WINDOW_BYTES, type ConnectionLimits } from "../../limits.ts";
import type { RefusalCounts } from "../refusals.ts";
import { acceptPlaintext } from "./accept-plaintext.ts";
import { lifetimeOf, retireAtAge } from "./connection-age.ts";
import { describePeer, drainSession, QUIET_TIMEOUT_OF_AGED_MS, shareTlsSocket } from "./drain-session.ts";
import { guardRequests, type TakeRequest } from "./guard-requests.ts";
import { createGuards } from "./guards.ts";
import { createHandshakeLog } from "./handshake-log.ts";
import { isIdleSince, isRetired, openRequest, retireHttp1 } from "./http1-connection.ts";
import { shrinkBacklog, untilNobodyWaits } from "./listen-backlog.ts";
import {
  createHttp1Server,
  createHttp2Server,
  replaceCertificates,
  SOCKET_OPTIONS,
  type TakeStream,
  type TlsOptions,
} from "./servers.ts";
import { describeTlsSource, takeProxyHeader } from "./take-proxy-header.ts";

/** How often a closing server looks for idle connections within the time that makes them idle. */
const REAPS_PER_IDLE_TIME = 10;
/** How long a new connection may be silent while the server closes, in milliseconds. */
const SILENCE_TIMEOUT_MS = 1_000;

export interface OnePortOptions {
  /** Serves TLS instead of plaintext. */
  tls?: TlsOptions | undefined;
  limits: ConnectionLimits;
  /** Gets each HTTP/2 stream ahead of the handler. Returns true if it has answered the stream. */
  takeStream: TakeStream;
  /** Does the same for each HTTP/1.1 request. */
  takeRequest: TakeRequest;
  /** Time that calls have to end after `close`, in milliseconds. */
  closeGraceMs: number;
  /** Connections that are still busy this many milliseconds after the grace are cut. */
  closeTimeoutMs: number;
  refusals: RefusalCounts;
  logger: Logger;
}

export interface OnePort {
  /**
   * The server. Its `close` stops listening, asks clients to go away, and lets open calls finish, also those sent
   * before the clients knew. Then it cuts what is left.
   */
  readonly server: http.Server;
  /** Listens on a further address too, such as the other loopback family's. */
  listenAlso(address: net.ListenOptions): Promise<AlsoListening>;
  /** Returns how many connections are open. `undecided` ones have not sent enough to tell their protocol. */
  connections(): { http1: number; http2: number; undecided: number };
  /** Gives a server with TLS other certificates, as {@link replaceCertificates} does. */
  replaceTls(tls: TlsOptions): void;
}

/** Another address where a server listens. */
export interface AlsoListening {
  readonly port: number;
  /** Stops to listen there. Connections stay. */
  stop(): void;
}

/**
 * Creates an HTTP server that speaks HTTP/1.1 and HTTP/2 on one port. ALPN tells them apart with TLS, the client's
 * connection preface without (RFC 9113, 3.4).
 *
 * It is a real `http.Server` or `https.Server`, so that Node's own limits and timeouts apply; only the step from a
 * connection to a protocol is replaced. An HTTP/2 server that never listens takes over the connections that speak it.
 */
export function createOnePort(handler: http.RequestListener, options: OnePortOptions): OnePort {
  const { tls, limits, takeStream, takeRequest, closeGraceMs, closeTimeoutMs, refusals, logger } = options;
  const guards = createGuards(limits, refusals, logger);
  const { maxConnectionAgeMs } = limits;
  const guarded = guardRequests(handler, takeRequest);
  const server = createHttp1Server(boundRequests(guarded, limits), limits, tls);
  const http2Server = createHttp2Server(guarded, limits, takeStream);
  // Node would refuse two kinds of request with an empty answer; here they are requests like others: an unknown
  // expectation, which may be ignored (RFC 9110, 10.1.1), and a CONNECT over HTTP/2.
  for (const each of [server, http2Server]) {
    each.on("checkExpectation", (request, response) => each.emit("request", request, response));
  }
  http2Server.on("connect", (request, response) => http2Server.emit("request", request, response));
  const connectionEvent = tls ? "secureConnection" : "connection";
  const [acceptHttp1] = server.listeners(connectionEvent);
  if (!acceptHttp1) throw new Error(`this Node.js does not handle '${connectionEvent}' by a listener`);
  server.removeAllListeners(connectionEvent);
  /**
   * Connections whose protocol is not known yet. They are keyed by remote address and port, which a TLS socket shares
   * with the TCP socket below it.
   */
  const undecided = new Map<string, { socket: net.Socket; sinceMs: number }>();
  const nameOf = ({ remoteAddress, remotePort }: net.Socket) => `${remoteAddress} ${remotePort}`;
  const accept = (socket: net.Socket, isHttp2: boolean) => {
    undecided.delete(nameOf(socket));
    if (isHttp2) acceptHttp2(socket);
    else {
      guards.guardHttp1(socket);
      if (maxConnectionAgeMs > 0) retireHttp1(socket, performance.now() + lifetimeOf(maxConnectionAgeMs));
      http1Sockets.add(socket);
      socket.once("close", () => http1Sockets.delete(socket));
      acceptHttp1.call(server, socket);
    }
  };
  const acceptHttp2 = (socket: net.Socket) => {
    // Begins the session at once, and exposes its socket to nobody.
    http2Server.once("session", (session) => {
      guards.guardHttp2(session, socket);
      sessions.set(session, socket);
      session.once("close", () => sessions.delete(session));
      if (socket instanceof TLSSocket) describePeer(session, socket);
      // The connection was made after the server had begun to close.
      if (isClosing) drainSession(session, socket);
      else if (maxConnectionAgeMs > 0) {
        retireAtAge(session, maxConnectionAgeMs, () => drainSession(session, socket, QUIET_TIMEOUT_OF_AGED_MS));
      }
    });
    http2Server.emit("connection", socket instanceof TLSSocket ? shareTlsSocket(socket) : socket);
  };

  if (tls) {
    server.on("tlsClientError", createHandshakeLog(refusals, logger));
    server.on(connectionEvent, (socket: TLSSocket) => {
      describeTlsSource(socket);
      accept(socket, socket.alpnProtocol === "h2");
    });
  } else {
    server.on(connectionEvent, (socket: net.Socket) => {
      acceptPlaintext(socket, limits.handshakeTimeoutMs, (isHttp2) => accept(socket, isHttp2));
    });
  }

  const http1Sockets = new Set<net.Socket>();
  const sessions = new Map<http2.ServerHttp2Session, net.Socket>();
  let isClosing = false;
  http2Server.on("session", (session) => {
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
  });

  const sockets = new Set<net.Socket>();
  let accepted = 0;
  server.on("connection", (socket: net.Socket) => {
    if (!guards.admit(socket)) return;
    const name = nameOf(socket);
    accepted += 1;
    sockets.add(socket);
    undecided.set(name, { socket, sinceMs: performance.now() });
    socket.once("close", () => {
      sockets.delete(socket);
      if (undecided.get(name)?.socket === socket) undecided.delete(name);
    });
  });

  if (limits.proxyProtocol) {
    // All the others see the socket only when it has its client's address.
    const listeners = server.listeners("connection");
    server.removeAllListeners("connection");
    server.on("connection", (socket: net.Socket) => {
      const begin = () => {
        for (const listener of listeners) listener.call(server, socket);
      };
      if (!guards.isProxy(socket)) return begin();
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      takeProxyHeader(socket, limits.handshakeTimeoutMs, begin);
    });
  }

  server.on("drop", (dropped) => guards.noteDropped(dropped?.remoteAddress));

  const listeners: net.Server[] = [];
  const closeHttpServer = server.close.bind(server);
  const stopListening = async (): Promise<void> => {
    for (const listener of [server, ...listeners]) shrinkBacklog(listener);
    await untilNobodyWaits(() => accepted);
    // Node's own close would cut every connection that waits for its next request, and stop checking timeouts.
    const closed = [server, ...listeners].map((listener) => {
      return new Promise<void>((resolve) => net.Server.prototype.close.call(listener, () => resolve()));
    });
    await Promise.all(closed);
  };
  server.close = (callback) => {
    isClosing = true;
    const reaper = setInterval(() => {
      const idleSinceMs = performance.now() - limits.idleBeforeCloseMs;
      for (const socket of http1Sockets) if (isIdleSince(socket, idleSinceMs)) socket.destroy();
      const silentSinceMs = performance.now() - SILENCE_TIMEOUT_MS;
      for (const { socket, sinceMs } of undecided.values()) {
        if (socket.bytesRead === 0 && sinceMs < silentSinceMs) socket.destroy();
      }
    }, limits.idleBeforeCloseMs / REAPS_PER_IDLE_TIME);
    // One timer after the other: if the process stands still for a while, what ends the calls still comes well before the
    // cut, and its answers leave.
    let cutter = setTimeout(() => {
      cutter = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, closeTimeoutMs);
    }, closeGraceMs);
    for (const [session, socket] of sessions) drainSession(session, socket);
    stopListening().then(() => {
      clearInterval(reaper);
      clearTimeout(cutter);
      // This stops the server's timers; everything else is closed already.
      closeHttpServer(() => callback?.());
    });
    return server;
  };

  return {
    server,
    connections: () => ({ http1: http1Sockets.size, http2: sessions.size, undecided: undecided.size }),
    async listenAlso(address) {
      const listener = net.createServer({ ...SOCKET_OPTIONS, allowHalfOpen: true });
      listener.maxConnections = limits.maxConnections;
      listener.on("connection", (socket) => server.emit("connection", socket));
      listener.on("drop", (dropped) => server.emit("drop", dropped));
      listener.listen(address);
      await once(listener, "listening");
      listeners.push(listener);
      return {
        port: (listener.address() as net.AddressInfo).port,
        stop() {
          listeners.splice(listeners.indexOf(listener), 1);
          listener.close();
        },
      };
    },
    replaceTls(replacement) {
      replaceCertificates(server as https.Server, replacement);
    },
  };
}

/**
 * Wraps an HTTP/1.1 handler, so that a connection has at most as many open requests as an HTTP/2 connection may, and
 * ends at its age.
 */
function boundRequests(handler: http.RequestListener, limits: ConnectionLimits): http.RequestListener {
  const { maxConcurrentStreams, maxConnectionAgeMs } = limits;
  return (request, response) => {
    if (!openRequest(request, response, maxConcurrentStreams)) return;
    if (maxConnectionAgeMs > 0 && isRetired(request.socket)) response.shouldKeepAlive = false;
    // When a request asks for an upgrade and gets none, Node drops the bytes that have arrived behind it. A request
    // there would wait for ever, so the connection closes.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    handler(request, response);
  };
}

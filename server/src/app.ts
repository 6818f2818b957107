import { randomUUIDv7 } from "node:crypto";
import type { RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Registry } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import fastify, { type FastifyBaseLogger, LogController } from "fastify";
import { type Logger, pino } from "pino";
import { DatabaseUnavailableError } from "./domain/errors.ts";
import {
  type ConnectionLimits,
  defaultConnectionLimits,
  defaultRequestTimeouts,
  type GrpcWebSocketsLimits,
  type RequestTimeouts,
  settings,
} from "./limits.ts";
import { openSqliteUserRepository } from "./repository/sqlite/user-repository.ts";
import type { UserRepository } from "./repository/user-repository.ts";
import type { Permissions } from "./rpc/auth/permissions.ts";
import type { TokenVerifier } from "./rpc/auth/token-verifier.ts";
import { createRpcRoutes } from "./rpc/chain.ts";
import { requestIdFrom } from "./runtime/request-id.ts";
import { Streams, type StreamsOptions } from "./service/streams.ts";
import { Users } from "./service/users.ts";
import { createAccessLog, type LogOutput } from "./telemetry/access-log.ts";
import { Admission, type AdmissionLimits, admissionLimits } from "./transport/admission/admission.ts";
import { admitCalls } from "./transport/admission/admit-calls.ts";
import { createEngine, type Engine } from "./transport/engine/engine.ts";
import { isAsciiUrl } from "./transport/fastify/ascii-url.ts";
import { hasValidHost } from "./transport/fastify/authority.ts";
import { crossOriginHeaders, registerCrossOrigin } from "./transport/fastify/cross-origin.ts";
import { mountRpc } from "./transport/fastify/mount-rpc.ts";
import { READY_PATH, registerProbes } from "./transport/fastify/probes.ts";
import { replyError, replyFault, replyNotFound } from "./transport/fastify/reply-error.ts";
import { boundRequest } from "./transport/fastify/request-timeouts.ts";
import { registerWebApp } from "./transport/fastify/serve-web-app.ts";
import { acceptGrpcWebSockets } from "./transport/grpc-websockets/accept.ts";
import { BoundedLines } from "./transport/port/bounded-lines.ts";
import { watchCertificateDates } from "./transport/port/certificate-dates.ts";
import { peerOf } from "./transport/port/connection.ts";
import { isHeavy } from "./transport/port/connection-guard.ts";
import { createOnePort, type OnePort } from "./transport/port/one-port.ts";
import { createClientErrorHandler, refuseUnknown } from "./transport/port/raw-refusals.ts";
import type { TlsOptions } from "./transport/port/servers.ts";
import { dropRestWhenAnswered } from "./transport/port/unread-rest.ts";

/** Options of the app. Numbers that are not set have the defaults of `limits.ts`. */
export interface AppOptions {
  /**
   * Verifies tokens. False lets everybody in: for tests, and for hosts that authenticate callers themselves.
   *
   * Such a host may trust headers that its proxy sets. It must know that a WebSocket brings the headers of its call
   * in-band, past the proxy. The usual headers of proxies are taken from the upgrade request alone
   * (`transport/grpc-websockets/header.ts`); a page can choose any others.
   */
  auth: TokenVerifier | false;
  /** Storage of users; the app closes it. Default: in memory. */
  repository?: UserRepository | undefined;
  /** Mounts further Connect services, behind the same gate and interceptors. */
  routes?: ((router: ConnectRouter) => void) | undefined;
  /** Permissions of the further services, by `package.Service/Method`; a method that is not listed is denied. */
  permissions?: Permissions | undefined;
  /** Whether to check requests against the rules in their contract. Default true. */
  validation?: boolean | undefined;
  /** Default `localhost`: both loopback families. */
  host?: string | undefined;
  /** Default 0: any free port. */
  port?: number | undefined;
  /** Serves TLS instead of plaintext. */
  tls?: TlsOptions | undefined;
  /** Largest message that a client may send, in bytes, before and after decompression. Answers have no such limit. */
  maxMessageBytes?: number | undefined;
  /**
   * Carrier of calls: "direct" uses the engine where it can, "stock" Connect's own carrier for all, for comparison.
   * Default "direct".
   */
  rpcEngine?: "direct" | "stock" | undefined;
  /** Large messages that are inflated or deflated at once. Default: the number of cores minus one. */
  codingThreads?: number | undefined;
  /** Deadline of a unary call whose client sets none, in milliseconds. */
  defaultTimeoutMs?: number | undefined;
  /** Longest time of any call, in milliseconds, up to 2^31 - 1. */
  maxTimeoutMs?: number | undefined;
  /** Unary calls in flight in the process; more are refused with unavailable. 16 times as many streams may be open. */
  maxCalls?: number | undefined;
  /**
   * How long `close` first only reports that it is not ready, so that load balancers stop sending requests. In
   * milliseconds.
   */
  shutdownDelayMs?: number | undefined;
  /** How long `close` then lets open calls run, in milliseconds. */
  shutdownGraceMs?: number | undefined;
  /** Origins whose pages may call, exactly as a browser sends them. Default: only the server's own. */
  corsOrigins?: readonly string[] | undefined;
  /** Types that JSON needs to read and write google.protobuf.Any. */
  jsonRegistry?: Registry | undefined;
  streams?: StreamsOptions | undefined;
  limits?: Partial<ConnectionLimits> | undefined;
  /** Pace at which calls are admitted, and their limits beside maxCalls. */
  admission?: Partial<Omit<AdmissionLimits, "maxCalls">> | undefined;
  timeouts?: Partial<RequestTimeouts> | undefined;
  webSockets?: Partial<GrpcWebSocketsLimits> | undefined;
  /**
   * Most log lines a second about refused requests, and as many about refused WebSockets. Of further ones only the
   * number is logged.
   */
  refusedLinesPerSecond?: number | undefined;
  /** Folder of the built web app; none is served when undefined. */
  webRoot?: string | undefined;
  /** Default: silent. */
  logger?: Logger | undefined;
  /** Destination of the logger's lines. With it the access log writes its lines there itself, which costs less. */
  logOutput?: LogOutput | undefined;
  /** Returns milliseconds since the Unix epoch. */
  now?: (() => number) | undefined;
}

export interface App {
  /** Starts to listen. @throws Error with `code` EADDRINUSE and the like. */
  listen(): Promise<ListeningAddress>;
  /**
   * Drains and closes the server.
   *
   * 1. It reports that it is not ready.
   * 2. After the delay it takes no new connections and sends GOAWAY.
   * 3. Open calls finish; those still open after the grace end with unavailable.
   * 4. The repository is closed.
   */
  close(): Promise<void>;
}

export interface ListeningAddress {
  readonly port: number;
  /** Address of the server, such as `http://localhost:8080`. */
  readonly url: string;
}

/** Time for the last answers to leave after the grace; then connections are cut. */
const CUT_AFTER_GRACE_MS = 1_000;

/** Builds the whole service. It listens only when `listen` is called. */
export async function createApp(options: AppOptions): Promise<App> {
  const {
    repository = openSqliteUserRepository({ path: ":memory:" }),
    host = "localhost",
    port = 0,
    maxMessageBytes = settings.maxMessageBytes.byDefault,
    defaultTimeoutMs = settings.defaultTimeoutMs.byDefault,
    maxTimeoutMs = settings.maxTimeoutMs.byDefault,
    shutdownDelayMs = settings.shutdownDelayMs.byDefault,
    shutdownGraceMs = settings.shutdownGraceMs.byDefault,
    logger = pino({ level: "silent" }),
    now = Date.now,
  } = options;
  const scheme = options.tls ? "https" : "http";
  const certificateDates = options.tls && watchCertificateDates({ tls: options.tls, logger, now });
  const shutdown = new AbortController();
  let draining = false;
  let isClosing = false;

  const limits = { ...defaultConnectionLimits, ...options.limits };
  const timeouts = { ...defaultRequestTimeouts, ...options.timeouts };
  const refusedLines = new BoundedLines(logger, "request refused", options.refusedLinesPerSecond);
  const refusals = { maxHeaderBytes: limits.maxHeaderBytes, bodyTimeoutMs: timeouts.bodyTimeoutMs, refusedLines };
  let handlers: ReadonlyMap<string, UniversalHandler> = new Map();
  let handle: RequestListener = () => {};
  let engine: Engine | undefined;
  const admission = new Admission(
    admissionLimits(options.maxCalls, options.admission),
    () => performance.now(),
    isHeavy,
  );
  const carry: RequestListener = (request, response) => {
    // Fastify asks clients to close their connections while it closes.
    if (request.httpVersionMajor === 1 && !isClosing && engine?.takeRequest(request, response)) return;
    handle(request, response);
  };
  const admitted = admitCalls(carry, {
    admission,
    handlerOf: (path) => handlers.get(path),
    extraHeaders: (origin) => crossOriginHeaders(origin, options.corsOrigins ?? []),
    logger,
  });
  const { server, listenAlso } = createOnePort(refuseUnknown(admitted.listener, refusals), {
    tls: options.tls,
    limits,
    takeStream: (stream, headers, rawHeaders) =>
      engine?.takeStream(stream, headers, rawHeaders) || admitted.refuseStream(stream, headers),
    closeTimeoutMs: shutdownGraceMs + CUT_AFTER_GRACE_MS,
    logger,
  });
  const app = fastify({
    serverFactory(handler) {
      handle = handler;
      return server;
    },
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: ({ headers }) => requestIdFrom(headers["x-request-id"]),
    // Requests that arrive on an open connection while draining are still served.
    return503OnClosing: false,
    // The port closes connections itself.
    forceCloseConnections: false,
    frameworkErrors: replyFault,
    clientErrorHandler: createClientErrorHandler(refusals),
  });

  app.decorateRequest("peer", "").decorateRequest("isCall", false);
  app.addHook("onRequest", async (request, reply) => {
    // Note the peer now: the connection may be gone later.
    request.peer = peerOf(request);
    reply.headers({ "x-request-id": request.id, "x-content-type-options": "nosniff" });
    dropRestWhenAnswered(request.raw, reply.raw, timeouts.bodyTimeoutMs);
    // The carrier of a call bounds it itself.
    if (!handlers.has(request.routeOptions.url ?? "")) boundRequest(request.raw, reply.raw, { timeouts });
    // Responses to reads are per caller and change over time: never cache them.
    else if (request.method === "GET") reply.header("cache-control", "no-store");
    if (!hasValidHost(request.raw)) return replyError(reply, 400, Code.InvalidArgument, "invalid host");
    if (!isAsciiUrl(request.url)) return replyError(reply, 400, Code.InvalidArgument, "the URL is not percent-encoded");
  });
  app.addHook("onResponse", async (request, { statusCode }) => {
    // The access log covers calls. This line is for requests that never became one.
    if (request.isCall) return;
    // A probe's answer is logged only when it changes.
    if (request.routeOptions.url === READY_PATH && statusCode === 503) return;
    if (request.is404 || statusCode >= 400) {
      // Leave out the query: it is the message in a read by GET, and some put tokens there.
      const path = request.url.split("?", 1)[0]?.slice(0, 200);
      refusedLines.info({ requestId: request.id, path, status: statusCode, peer: request.peer });
    }
  });
  // Only the RPC handlers read bodies.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _body, done) => done(null));
  app.setErrorHandler(replyFault);
  await registerCrossOrigin(app, { origins: options.corsOrigins ?? [], logger });
  app.setNotFoundHandler(replyNotFound);
  registerProbes(app, {
    async checkReady() {
      if (draining) return { reason: "draining" };
      try {
        await repository.ping();
      } catch (error) {
        if (!(error instanceof DatabaseUnavailableError)) return { reason: "database-unavailable", error };
        return { reason: error.fault, error: error.cause };
      }
    },
  });
  if (options.webRoot) await registerWebApp(app, options.webRoot);
  const rpcRoutes = createRpcRoutes({
    users: new Users({ repository, now, newId: randomUUIDv7 }),
    streams: new Streams(options.streams),
    routes: options.routes,
    permissions: options.permissions,
    auth: options.auth,
    validation: options.validation ?? true,
    maxMessageBytes,
    codingThreads: options.codingThreads,
    defaultTimeoutMs: Math.min(defaultTimeoutMs, maxTimeoutMs),
    maxTimeoutMs,
    jsonRegistry: options.jsonRegistry,
    shutdownSignal: shutdown.signal,
    observers: [createAccessLog(logger, options.logOutput)],
    logger,
    now,
  });
  handlers = mountRpc(app, rpcRoutes, { timeouts, logger });
  if ((options.rpcEngine ?? "direct") === "direct") {
    const { maxHeaderBytes } = limits;
    engine = createEngine({ chain: rpcRoutes.direct, admission, maxHeaderBytes, timeouts, ...admitted });
  }
  const webSockets = acceptGrpcWebSockets(server, {
    handlers,
    origins: options.corsOrigins ?? [],
    maxMessageBytes,
    limits: options.webSockets,
    timeouts: options.timeouts,
    admission,
    refusedLinesPerSecond: options.refusedLinesPerSecond,
    logger,
  });
  await app.ready();

  return {
    async listen() {
      await app.listen({
        host: host === "localhost" ? "127.0.0.1" : host,
        port,
        listenTextResolver: (address) => `listening on ${address.replace(/^http:/, `${scheme}:`)}`,
      });
      const { port: actualPort } = server.address() as AddressInfo;
      if (host === "localhost") await listenOnIpv6Loopback(listenAlso, actualPort);
      certificateDates?.start();
      const urlHost = host.includes(":") ? `[${host}]` : host;
      return { port: actualPort, url: `${scheme}://${urlHost}:${actualPort}` };
    },
    async close() {
      draining = true;
      certificateDates?.stop();
      if (shutdownDelayMs > 0) await delay(shutdownDelayMs);
      const graceTimer = setTimeout(() => {
        shutdown.abort(new ConnectError("server is shutting down", Code.Unavailable));
      }, shutdownGraceMs);
      isClosing = true;
      webSockets.drain();
      try {
        await app.close();
      } finally {
        clearTimeout(graceTimer);
        await repository.close();
      }
    },
  };
}

async function listenOnIpv6Loopback(listenAlso: OnePort["listenAlso"], port: number): Promise<void> {
  try {
    await listenAlso({ host: "::1", port });
  } catch (error) {
    // A machine without IPv6 has only one loopback family.
    if (!["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

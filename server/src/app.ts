import type { RequestListener } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import fastify, { type FastifyBaseLogger, LogController } from "fastify";
import { pino } from "pino";
import type { App, AppOptions } from "./app-options.ts";
import { defaultChangeRetention, defaultConnectionLimits, defaultRequestTimeouts, settings } from "./limits.ts";
import { openSqliteUserRepository } from "./repository/sqlite/user-repository.ts";
import { createRpcRoutes } from "./rpc/chain.ts";
import { requestIdFrom } from "./runtime/request-id.ts";
import { randomUuidV7 } from "./runtime/uuid-v7.ts";
import { ChangeRetention } from "./service/change-retention.ts";
import { FeedLag } from "./service/feed-lag.ts";
import { Readiness } from "./service/readiness.ts";
import { Streams } from "./service/streams.ts";
import { UserChanges } from "./service/user-changes.ts";
import { Users } from "./service/users.ts";
import { PROMETHEUS_TYPE, toPrometheusText } from "./telemetry/metrics/prometheus-text.ts";
import { readServerNumbers } from "./telemetry/metrics/server-numbers.ts";
import { createTelemetry } from "./telemetry/telemetry.ts";
import { Admission, admissionLimits } from "./transport/admission/admission.ts";
import { admitCalls } from "./transport/admission/admit-calls.ts";
import { createEngine, type Engine } from "./transport/engine/engine.ts";
import { createCrossOrigin, registerCrossOrigin } from "./transport/fastify/cross-origin.ts";
import { registerDescriptors } from "./transport/fastify/descriptors-page.ts";
import { hookRequests } from "./transport/fastify/hook-requests.ts";
import { registerMetrics } from "./transport/fastify/metrics-page.ts";
import { mountRpc } from "./transport/fastify/mount-rpc.ts";
import { registerProbes } from "./transport/fastify/probes.ts";
import { createNotFoundHandler, replyFault } from "./transport/fastify/reply-error.ts";
import { registerReference } from "./transport/fastify/serve-reference.ts";
import { registerWebApp } from "./transport/fastify/serve-web-app.ts";
import { acceptGrpcWebSockets } from "./transport/grpc-websockets/accept.ts";
import { BoundedLines } from "./transport/port/bounded-lines.ts";
import { watchCertificateDates } from "./transport/port/certificate-dates.ts";
import { isHeavy } from "./transport/port/connection-guard.ts";
import { listenForCalls, listenForProbes } from "./transport/port/listen.ts";
import { createOnePort, type OnePortOptions } from "./transport/port/one-port.ts";
import { createProbePort } from "./transport/port/probe-port.ts";
import { createClientErrorHandler, refuseUnknown } from "./transport/port/raw-refusals.ts";
import { createRefusalCounts } from "./transport/refusals.ts";

/** Time for the last answers to be sent after the grace. Connections are cut when it is over. */
const CUT_AFTER_GRACE_MS = 1_000;
/** Time to export traces and metrics if the calls have used up the whole grace. */
const MIN_FLUSH_MS = 500;

/** Builds the whole service. It listens only when `listen` is called. */
export async function createApp(options: AppOptions): Promise<App> {
  const {
    repository = openSqliteUserRepository({ path: ":memory:" }),
    host = "localhost",
    port = 0,
    reusePort,
    maxMessageBytes = settings.maxMessageBytes.byDefault,
    defaultTimeoutMs = settings.defaultTimeoutMs.byDefault,
    maxTimeoutMs = settings.maxTimeoutMs.byDefault,
    shutdownDelayMs = settings.shutdownDelayMs.byDefault,
    shutdownGraceMs = settings.shutdownGraceMs.byDefault,
    metrics = "loopback",
    logger = pino({ level: "silent" }),
    now = Date.now,
  } = options;
  const scheme = options.tls ? "https" : "http";
  const certificateDates = options.tls && watchCertificateDates({ tls: options.tls, logger, now });
  let clientScopes = options.tls?.clientScopes;
  const shutdown = new AbortController();
  const closing = new AbortController();

  const limits = { ...defaultConnectionLimits, ...options.limits };
  const timeouts = { ...defaultRequestTimeouts, ...options.timeouts };
  const counts = createRefusalCounts();
  const refusedLines = new BoundedLines(logger, "request refused", options.refusedLinesPerSecond, () => {
    counts.add("request");
  });
  const refusals = { maxHeaderBytes: limits.maxHeaderBytes, bodyTimeoutMs: timeouts.bodyTimeoutMs, refusedLines };
  let handlers: ReadonlyMap<string, UniversalHandler> = new Map();
  let handle: RequestListener = () => {};
  let engine: Engine | undefined;
  const crossOrigin = createCrossOrigin({ origins: options.corsOrigins ?? [], logger });
  const admission = new Admission(
    admissionLimits(options.maxCalls, options.admission),
    () => performance.now(),
    isHeavy,
  );
  const admitted = admitCalls((request, response) => handle(request, response), {
    admission,
    handlerOf: (path) => handlers.get(path),
    headersFor: crossOrigin.headersFor,
    refusals: counts,
    logger,
  });
  const listener = refuseUnknown(admitted.listener, refusals);
  const portOptions = {
    limits,
    takeStream: (stream, headers, rawHeaders) =>
      engine?.takeStream(stream, headers, rawHeaders) || admitted.refuseStream(stream, headers),
    takeRequest: (request, response) => engine?.takeRequest(request, response) ?? false,
    closeGraceMs: shutdownGraceMs,
    closeTimeoutMs: CUT_AFTER_GRACE_MS,
    refusals: counts,
    logger,
  } satisfies OnePortOptions;
  const onePort = createOnePort(listener, { ...portOptions, tls: options.tls });
  const { server, replaceTls, connections } = onePort;
  const probes =
    options.probePort === undefined
      ? undefined
      : createProbePort(listener, {
          ...portOptions,
          limits: { ...limits, proxyProtocol: false },
          closeGraceMs: 0,
          bodyTimeoutMs: timeouts.bodyTimeoutMs,
        });
  probes?.server.on("clientError", createClientErrorHandler(refusals));
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

  hookRequests(app, {
    isCall: (url) => handlers.has(url),
    timeouts,
    refusedLines,
    onUnknownMethod: (protocol, durationMs) => telemetry.countUnknownMethod(protocol, durationMs),
  });
  // Only the RPC handlers read bodies.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _body, done) => done(null));
  app.setErrorHandler(replyFault);
  await registerCrossOrigin(app, crossOrigin, options.corsOrigins ?? []);
  app.setNotFoundHandler(createNotFoundHandler(app));
  const readiness = new Readiness({
    database: repository,
    onChange(fault) {
      if (fault) logger.warn({ reason: fault.reason, err: fault.error }, "not ready");
      else logger.info("ready again");
    },
  });
  registerProbes(app, { checkReady: () => readiness.check() });
  const numbers = readServerNumbers({
    admission,
    connections,
    webSockets: () => webSockets.size,
    refusals: counts,
    feedLagMs: () => feedLag.lagMs,
    database: repository.stats,
  });
  const telemetry = await createTelemetry({
    logger,
    logOutput: options.logOutput,
    numbers: metrics === "off" && !options.otlp ? undefined : numbers,
    otlp: options.otlp,
  });
  const tracedRepository = telemetry.traceRepository(repository, repository.stats ?? { system: "other_sql" });
  options.metricsExchange?.offer(() => telemetry.metrics);
  registerMetrics(app, {
    ...{ readers: metrics, type: PROMETHEUS_TYPE },
    read: () => options.metricsExchange?.readAll() ?? toPrometheusText(telemetry.metrics),
  });
  const docs = options.docs ?? host === "localhost";
  if (options.webRoot) await registerWebApp(app, { root: options.webRoot, signIn: options.signIn, docs });
  const retention = new ChangeRetention({
    ...defaultChangeRetention,
    ...options.changes,
    changes: repository.changes,
    now,
    onError: (error) => logger.warn({ err: error }, "changes were not trimmed"),
  });
  const changes = new UserChanges({
    repository: tracedRepository,
    progressIntervalMs: options.changes?.progressIntervalMs,
    maxLag: options.changes?.maxLag,
    onError: (error) => logger.error({ err: error }, "changes can't be read"),
  });
  const feedLag = new FeedLag({
    log: repository.changes,
    watched: changes,
    intervalMs: options.changes?.lagIntervalMs,
    now,
    onStall({ pid, name, ageMs }, lagMs) {
      logger.warn({ pid, name, ageMs, lagMs }, "changes are held up by an open transaction");
    },
    onEnd: () => logger.info("changes are no longer held up"),
  });
  const reflection = options.reflection ?? (host === "localhost" ? "open" : "off");
  const rpcRoutes = createRpcRoutes({
    users: new Users({ repository: tracedRepository, now, newId: randomUuidV7 }),
    changes,
    streams: new Streams(options.streams),
    routes: options.routes,
    permissions: options.permissions,
    auth: options.auth,
    rateLimit: options.rateLimit ?? { perSecond: settings.rateLimitPerSecond.byDefault },
    streamLimit: {
      maxOpen: settings.maxStreamsPerPrincipal.byDefault,
      messagesPerSecond: settings.streamMessagesPerSecond.byDefault,
      ...options.streamLimit,
    },
    clientScopes: () => clientScopes,
    validation: options.validation ?? true,
    maxMessageBytes,
    codingThreads: options.codingThreads,
    defaultTimeoutMs: Math.min(defaultTimeoutMs, maxTimeoutMs),
    maxTimeoutMs,
    jsonRegistry: options.jsonRegistry,
    readiness,
    reflection,
    openStreams: options.openStreams,
    closingSignal: closing.signal,
    shutdownSignal: shutdown.signal,
    observers: telemetry.observers,
    traceCall: telemetry.traceCall,
    logger,
    now,
  });
  handlers = mountRpc(app, rpcRoutes, { timeouts, logger });
  if (docs) {
    registerReference(app, {
      async load() {
        // Loaded on demand: most servers are never asked for the reference.
        const { createReference } = await import("./reference/reference.ts");
        const methods = [...handlers.values()].map(({ method }) => method);
        return createReference({
          methods,
          permissionOf: rpcRoutes.permissionOf,
          comments: options.comments,
          hasApp: options.webRoot !== undefined,
        });
      },
      scheme,
    });
  }
  if (reflection !== "off") registerDescriptors(app, rpcRoutes.descriptors);
  if ((options.rpcEngine ?? "direct") === "direct") {
    engine = createEngine({
      chain: rpcRoutes.direct,
      maxHeaderBytes: limits.maxHeaderBytes,
      isClosing: () => closing.signal.aborted,
      ...{ admission, timeouts, crossOrigin, ...admitted },
    });
  }
  const webSockets = acceptGrpcWebSockets(server, {
    handlers,
    origins: options.corsOrigins ?? [],
    maxMessageBytes,
    limits: options.webSockets,
    timeouts: options.timeouts,
    engine,
    admission,
    refusedLinesPerSecond: options.refusedLinesPerSecond,
    refusals: counts,
    logger,
  });
  await app.ready();

  return {
    async listen() {
      const actualPort = await listenForCalls(onePort, { host, port, reusePort }, (address) =>
        app.listen({
          ...address,
          listenTextResolver: (text) => `listening on ${text.replace(/^http:/, `${scheme}:`)}`,
        }),
      );
      const urlHost = host.includes(":") ? `[${host}]` : host;
      let probeUrl: string | undefined;
      if (probes) {
        const probePort = await listenForProbes(probes, { host, port: options.probePort ?? 0, reusePort });
        probeUrl = `http://${urlHost}:${probePort}`;
        logger.info(`probes on ${probeUrl}`);
      }
      certificateDates?.start();
      retention.start();
      feedLag.start();
      return { port: actualPort, url: `${scheme}://${urlHost}:${actualPort}`, probeUrl };
    },
    replaceTls(tls) {
      if (!certificateDates) throw new Error("a server without TLS has no certificates to replace");
      certificateDates.replace(tls, () => replaceTls(tls));
      clientScopes = tls.clientScopes;
    },
    async close() {
      readiness.drain();
      certificateDates?.stop();
      retention.stop();
      feedLag.stop();
      if (shutdownDelayMs > 0) await delay(shutdownDelayMs);
      const graceTimer = setTimeout(() => {
        shutdown.abort(shuttingDown());
      }, shutdownGraceMs);
      closing.abort(shuttingDown());
      const closesAtMs = performance.now() + shutdownGraceMs + CUT_AFTER_GRACE_MS;
      changes.close();
      webSockets.drain();
      try {
        await app.close();
      } finally {
        clearTimeout(graceTimer);
        // Probes are answered until everything else is closed. The abort ends watches of health, which would never end
        // by themselves.
        shutdown.abort(shuttingDown());
        if (probes?.server.listening) await promisify(probes.server.close.bind(probes.server))();
        await repository.close();
        await telemetry.close(Math.max(closesAtMs - performance.now(), MIN_FLUSH_MS));
      }
    },
  };
}

function shuttingDown(): ConnectError {
  return new ConnectError("server is shutting down", Code.Unavailable);
}

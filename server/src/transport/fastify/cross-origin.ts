import { TLSSocket } from "node:tls";
import { cors } from "@connectrpc/connect";
import fastifyCors from "@fastify/cors";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { isOwnOrigin } from "./authority.ts";

/** How long a browser may keep the answer to a preflight. */
const MAX_AGE_SECONDS = 7_200;
/** Trace context headers of a page's own telemetry (W3C Trace Context, W3C Baggage). */
const TRACE_HEADERS = ["traceparent", "tracestate", "baggage"];
/** Headers that say when a refused call may be made again, and how much of a rate limit is left. */
const LIMIT_HEADERS = ["retry-after", "grpc-retry-pushback-ms", "ratelimit-policy", "ratelimit"];
const EXPOSED_HEADERS = [...cors.exposedHeaders, "x-request-id", ...LIMIT_HEADERS].join(", ");
/** Interval in which an origin is reported at most once, in milliseconds, and the most origins reported in it. */
const REPORT_INTERVAL_MS = 60_000;
const MAX_REPORTED_ORIGINS = 100;

export interface CrossOriginOptions {
  /** Origins whose pages may call, exactly as a browser sends them. */
  origins: readonly string[];
  logger: Logger;
}

/** Request whose origin is checked. */
export interface FromOrigin {
  origin: string | undefined;
  /** The server as the request names it. */
  authority: string | undefined;
  /** Returns whether the connection has TLS. */
  isSecure(): boolean;
  requestId: string;
}

export interface CrossOrigin {
  /** Reports an origin that is not allowed, once a minute, since its browser only says that something failed. */
  check(request: FromOrigin): void;
  /** Returns headers for an answer that let pages of an allowed origin read it: names and values in turn. */
  headersFor(origin: string | undefined): readonly string[];
}

/** Creates the rules for pages of other origins (CORS). */
export function createCrossOrigin({ origins, logger }: CrossOriginOptions): CrossOrigin {
  const isNew = createFirstSeen();
  const others = origins.length === 0 ? [] : ["vary", "Origin", "access-control-expose-headers", EXPOSED_HEADERS];
  const allowed = new Map(origins.map((origin) => [origin, [...others, "access-control-allow-origin", origin]]));
  return {
    check({ origin, authority, isSecure, requestId }) {
      if (origin === undefined || allowed.has(origin) || isOwnOrigin(origin, authority, isSecure())) return;
      const shown = origin.slice(0, 200);
      if (isNew(shown)) logger.warn({ requestId, origin: shown }, "origin refused: it is not in CORS_ORIGINS");
    },
    headersFor: (origin) => allowed.get(origin ?? "") ?? others,
  };
}

/** Lets the pages of allowed origins call Fastify's routes, and answers their preflights. */
export async function registerCrossOrigin(app: FastifyInstance, { check }: CrossOrigin, origins: readonly string[]) {
  app.addHook("onRequest", async ({ headers, host, raw, id: requestId }) => {
    check({
      origin: headers.origin,
      authority: host,
      isSecure: () => raw.socket instanceof TLSSocket,
      requestId,
    });
  });
  if (origins.length === 0) return;
  await app.register(fastifyCors, {
    origin: [...origins],
    methods: [...cors.allowedMethods],
    allowedHeaders: [...cors.allowedHeaders, "authorization", "x-request-id", ...TRACE_HEADERS],
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: MAX_AGE_SECONDS,
  });
}

/** Creates a function that returns whether a value is new in this minute, and among the first hundred. */
function createFirstSeen(): (value: string) => boolean {
  const seen = new Set<string>();
  let startedAtMs = performance.now();
  return (value) => {
    const nowMs = performance.now();
    if (nowMs - startedAtMs > REPORT_INTERVAL_MS) {
      startedAtMs = nowMs;
      seen.clear();
    }
    if (seen.has(value) || seen.size >= MAX_REPORTED_ORIGINS) return false;
    seen.add(value);
    return true;
  };
}

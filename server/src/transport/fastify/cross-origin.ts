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
const EXPOSED_HEADERS = [...cors.exposedHeaders, "x-request-id"];
/** Time in which an origin is reported at most once, in milliseconds, and the number of origins reported in it. */
const REPORT_INTERVAL_MS = 60_000;
const MAX_REPORTED_ORIGINS = 100;

export interface CrossOriginOptions {
  /** Origins whose pages may call, exactly as a browser sends them. */
  origins: readonly string[];
  logger: Logger;
}

/**
 * Lets the pages of these origins call (CORS), and reports any other origin once a minute, since its browser says only
 * that something failed.
 */
export async function registerCrossOrigin(app: FastifyInstance, { origins, logger }: CrossOriginOptions) {
  const isNew = createFirstSeen();
  app.addHook("onRequest", async ({ headers, host, raw, id: requestId }) => {
    const { origin } = headers;
    if (origin === undefined || origins.includes(origin)) return;
    if (isOwnOrigin(origin, host, raw.socket instanceof TLSSocket)) return;
    const shown = origin.slice(0, 200);
    if (isNew(shown)) logger.warn({ requestId, origin: shown }, "origin refused: it is not in CORS_ORIGINS");
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

/** Returns the headers that let a page of an allowed origin read an answer that does not come from Fastify. */
export function crossOriginHeaders(
  origin: string | undefined,
  allowed: readonly string[],
): Readonly<Record<string, string>> {
  if (origin === undefined || !allowed.includes(origin)) return {};
  return {
    "access-control-allow-origin": origin,
    "access-control-expose-headers": EXPOSED_HEADERS.join(","),
    vary: "Origin",
  };
}

/** Creates a function that returns whether a value is new in this minute and among its first hundred. */
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

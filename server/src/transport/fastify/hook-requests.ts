import { Code } from "@connectrpc/connect";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { RequestTimeouts } from "../../limits.ts";
import { isGrpc, mediaTypeOf } from "../../rpc/stages/media-type.ts";
import type { BoundedLines } from "../port/bounded-lines.ts";
import { callerOf } from "../port/connection-guard.ts";
import { dropRestWhenAnswered } from "../port/unread-rest.ts";
import { isAsciiUrl } from "./ascii-url.ts";
import { hasValidHost } from "./authority.ts";
import { READY_PATH } from "./probes.ts";
import { replyError } from "./reply-error.ts";
import { boundRequest } from "./request-timeouts.ts";

export interface HookRequestsOptions {
  /** Returns whether a route's URL belongs to a method. */
  isCall(routeUrl: string): boolean;
  timeouts: RequestTimeouts;
  /** Log of requests that never became a call. */
  refusedLines: BoundedLines;
  /** Called when a call of an unknown method was answered. */
  onUnknownMethod(protocol: string, durationMs: number): void;
}

/**
 * Adds hooks to each request. Before its route, they set the headers that every answer has, bound its time, and check
 * host and URL. After it, they log it if it was refused before it became a call.
 */
export function hookRequests(app: FastifyInstance, options: HookRequestsOptions): void {
  const { isCall, timeouts, refusedLines, onUnknownMethod } = options;
  app.decorateRequest("caller").decorateRequest("isCall", false);
  app.addHook("onRequest", async (request, reply) => {
    // Note the caller now, since the connection may be gone later.
    request.caller = callerOf(request.raw);
    reply.headers({ "x-request-id": request.id, "x-content-type-options": "nosniff" });
    dropRestWhenAnswered(request.raw, reply.raw, timeouts.bodyTimeoutMs);
    // A call's time is bounded by its carrier.
    if (!isCall(request.routeOptions.url ?? "")) boundRequest(request.raw, reply.raw, { timeouts });
    // Answers to reads differ by caller and over time, so they must not be cached.
    else if (request.method === "GET") reply.header("cache-control", "no-store");
    if (!hasValidHost(request.raw)) return replyError(reply, 400, Code.InvalidArgument, "invalid host");
    if (!isAsciiUrl(request.url)) return replyError(reply, 400, Code.InvalidArgument, "the URL is not percent-encoded");
  });
  app.addHook("onResponse", async (request, { statusCode, elapsedTime }) => {
    // Calls are in the access log. This line is for requests that never became one.
    if (request.isCall) return;
    // A probe's answer is only logged when it changes.
    if (request.routeOptions.url === READY_PATH && statusCode === 503) return;
    const protocol = request.is404 ? protocolOf(request) : undefined;
    if (protocol) onUnknownMethod(protocol, elapsedTime);
    if (request.is404 || statusCode >= 400) {
      // Leave out the query: in a read by GET it is the message, and some clients put tokens there.
      const path = request.url.split("?", 1)[0]?.slice(0, 200);
      refusedLines.info({ requestId: request.id, path, status: statusCode, peer: request.caller.peer });
    }
  });
}

/** Returns the protocol of a request whose content type shows that it is a call. */
function protocolOf({ method, headers }: FastifyRequest): string | undefined {
  const mediaType = mediaTypeOf(headers["content-type"] ?? "") ?? "";
  if (method !== "POST") return undefined;
  if (isGrpc(mediaType)) return mediaType.startsWith("application/grpc-web") ? "grpc-web" : "grpc";
  return /^application\/(?:json$|proto$|connect\+)/.test(mediaType) ? "connect" : undefined;
}

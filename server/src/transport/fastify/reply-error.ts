import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { Code } from "@connectrpc/connect";
import { codeFromHttpStatus, codeToString } from "@connectrpc/connect/protocol-connect";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isGrpc, mediaTypeOf } from "../../rpc/stages/media-type.ts";
import { pathOf } from "../admission/target.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Whether the page must look as if it did not exist to those who may not read it. */
    isHidden?: boolean;
  }
}

/** Answers a request that reached no RPC with Connect's error: JSON with code and message. */
export function replyError(reply: FastifyReply, status: number, code: Code, message: string): FastifyReply {
  return reply.code(status).type("application/json").send(errorBody(code, message));
}

/** Returns an error as JSON, in Connect's form. */
export function errorBody(code: Code, message: string): string {
  return JSON.stringify({ code: codeToString(code), message });
}

/** Answers a request that Fastify can't route, or that a plain route failed on. The cause goes to the log only. */
export function replyFault(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  // If Fastify can't parse the path, it calls this before its hooks, so the headers are set here.
  reply.headers({ "x-request-id": request.id, "x-content-type-options": "nosniff" });
  const status = (error as FastifyError).statusCode ?? 500;
  if (status < 500) return replyError(reply, status, Code.InvalidArgument, "malformed request");
  request.log.error({ requestId: request.id, err: error }, "request failed");
  return replyError(reply, 500, Code.Internal, "internal server error");
}

/**
 * Answers a path that is not served. gRPC and gRPC-Web clients read the status from the headers, all others from the
 * body.
 */
export function replyNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const message = "no such method or page";
  // The next version of the server may serve this path.
  reply.header("cache-control", "no-store");
  if (!asksByGrpc(request.headers)) return replyError(reply, 404, Code.Unimplemented, message);
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  endUnimplemented(request.headers, reply.raw, message);
  return reply;
}

/**
 * Returns a handler of requests that no route takes. It has to be made before the routes: where one of them serves a
 * page, another verb is a 405 with Allow (RFC 9110, 15.5.6). All else is a 404.
 */
export function createNotFoundHandler(app: FastifyInstance): typeof replyNotFound {
  const pages = new Set<string>();
  app.addHook("onRoute", ({ method, url, config }) => {
    if (method === "GET" && !config?.isHidden && !url.includes("*")) pages.add(url);
  });
  return (request, reply) => {
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (isRead || asksByGrpc(request.headers) || !pages.has(pathOf(request.url))) return replyNotFound(request, reply);
    reply.headers({ allow: "GET, HEAD", "cache-control": "no-store" });
    return replyError(reply, 405, codeFromHttpStatus(405), "this page takes GET and HEAD");
  };
}

/** Returns whether a client reads the status of its call from the headers, as gRPC and gRPC-Web do. */
export function asksByGrpc(headers: IncomingHttpHeaders): boolean {
  return isGrpc(mediaTypeOf(headers["content-type"] ?? "") ?? "");
}

/**
 * Ends an answer over gRPC in its Trailers-Only form: the stream ends with the header block. `writeHead` and Fastify
 * would add an empty DATA frame, after which clients would look for a status in trailers.
 */
export function endUnimplemented(headers: IncomingHttpHeaders, response: ServerResponse, message: string): void {
  response.setHeader("content-type", mediaTypeOf(headers["content-type"] ?? "") ?? "");
  response.setHeader("grpc-status", Code.Unimplemented);
  response.setHeader("grpc-message", message);
  response.end();
}

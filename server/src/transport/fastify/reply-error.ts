import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { isGrpc, mediaTypeOf } from "../../rpc/stages/media-type.ts";

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

import { createConnectRouter } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { Logger } from "pino";
import type { RequestTimeouts } from "../../limits.ts";
import type { RpcRoutes } from "../../rpc/chain.ts";
import type { Caller } from "../port/forwarded.ts";
import { carryCall } from "./carry-call.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Client of the request. */
    caller: Caller;
    /** Whether the request has become a call, which the access log covers. */
    isCall: boolean;
  }
}

export interface RpcMountOptions {
  timeouts: RequestTimeouts;
  logger: Logger;
}

/**
 * Mounts the RPC services on Fastify; nothing else connects the two. A request leaves Fastify after its hooks, and
 * before its body is read, since the call reads that.
 *
 * @returns The methods' handlers by path, for anything else that carries calls.
 */
export function mountRpc(
  app: FastifyInstance,
  rpc: RpcRoutes,
  options: RpcMountOptions,
): ReadonlyMap<string, UniversalHandler> {
  const router = createConnectRouter(rpc);
  rpc.routes(router);
  const handlers = new Map<string, UniversalHandler>();
  for (const handler of router.handlers) {
    handlers.set(handler.requestPath, handler);
    app.all(handler.requestPath, {
      async onRequest(request, reply) {
        reply.hijack();
        request.isCall = true;
        const { raw, id: requestId, caller } = request;
        options.logger.debug({ requestId, path: handler.requestPath }, "call carried by Connect");
        await carryCall(raw, reply.raw, { ...options, handler, requestId, caller, headers: headersOf(reply) });
      },
      handler: () => {},
    });
  }
  return handlers;
}

/** Returns the headers that hooks have set. Fastify itself adds them only to its own answers. */
function headersOf(reply: FastifyReply): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) headers[name] = typeof value === "number" ? String(value) : value;
  }
  return headers;
}

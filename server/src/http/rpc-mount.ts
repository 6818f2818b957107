import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import type { FastifyInstance } from "fastify";
import type { RpcRoutes } from "../rpc/routes.ts";
import { connectionContext } from "./connection.ts";
import { countHeaders } from "./raw-headers.ts";

/**
 * Mounts the RPC services on Fastify: the one place where the two meet.
 *
 * @returns The methods' handlers by their paths, for whatever else carries calls.
 */
export async function mountRpc(app: FastifyInstance, rpc: RpcRoutes): Promise<ReadonlyMap<string, UniversalHandler>> {
  const handlers = new Map<string, UniversalHandler>();
  await app.register(fastifyConnectPlugin, {
    ...rpc,
    routes(router) {
      rpc.routes(router);
      for (const handler of router.handlers) handlers.set(handler.requestPath, handler);
    },
    contextValues: (request) => {
      const authorizationCount = countHeaders(request.raw.rawHeaders, "authorization");
      return connectionContext(request, request.id, { authorizationCount });
    },
  });
  return handlers;
}

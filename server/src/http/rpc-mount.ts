import type { DescMethod } from "@bufbuild/protobuf";
import { createContextValues } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { connectionKey } from "../rpc/call.ts";
import type { RpcRoutes } from "../rpc/routes.ts";
import { boundRequest, type RequestTimeouts } from "./request-timeouts.ts";

/** Mounts the RPC services on Fastify: the one place where the two meet. */
export async function mountRpc(app: FastifyInstance, rpc: RpcRoutes, timeouts: RequestTimeouts): Promise<void> {
  const methods = new Map<string, DescMethod>();
  await app.register(async (scope) => {
    scope.addHook("onRequest", async (request, reply) => {
      const method = methods.get(request.routeOptions.url ?? "");
      if (method) boundRequest(request.raw, reply.raw, method, timeouts);
    });
    await scope.register(fastifyConnectPlugin, {
      ...rpc,
      routes(router) {
        rpc.routes(router);
        for (const { requestPath, method } of router.handlers) methods.set(requestPath, method);
      },
      contextValues: (request) =>
        createContextValues().set(connectionKey, { requestId: request.id, peer: peerOf(request) }),
    });
  });
}

function peerOf({ socket: { remoteAddress = "", remotePort } }: FastifyRequest): string {
  const host = remoteAddress.includes(":") ? `[${remoteAddress}]` : remoteAddress;
  return `${host}:${remotePort}`;
}

import type { DescMethod } from "@bufbuild/protobuf";
import { createContextValues } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { connectionKey } from "../rpc/call.ts";
import type { RpcRoutes } from "../rpc/routes.ts";

/**
 * Mounts the RPC services on Fastify: the one place where the two meet.
 *
 * @returns The methods by their paths.
 */
export async function mountRpc(app: FastifyInstance, rpc: RpcRoutes): Promise<ReadonlyMap<string, DescMethod>> {
  const methods = new Map<string, DescMethod>();
  await app.register(fastifyConnectPlugin, {
    ...rpc,
    routes(router) {
      rpc.routes(router);
      for (const { requestPath, method } of router.handlers) methods.set(requestPath, method);
    },
    contextValues: (request) =>
      createContextValues().set(connectionKey, { requestId: request.id, peer: peerOf(request) }),
  });
  return methods;
}

/** Address and port of the other end. */
export function peerOf({ socket: { remoteAddress = "", remotePort } }: FastifyRequest): string {
  const host = remoteAddress.includes(":") ? `[${remoteAddress}]` : remoteAddress;
  return `${host}:${remotePort}`;
}

import type { Socket } from "node:net";
import { type ContextValues, createContextValues } from "@connectrpc/connect";
import { type RequestContext, requestContextKey } from "../../rpc/context.ts";

/** A request that came over a connection, of Node or of Fastify. */
interface FromConnection {
  readonly socket: Pick<Socket, "remoteAddress" | "remotePort">;
}

/** Creates the context values that a call starts with: facts about its request, and the hooks of its carrier. */
export function requestContextValues(context: RequestContext): ContextValues {
  return createContextValues().set(requestContextKey, context);
}

/** Returns address and port of the other end, as `192.0.2.1:4711` or `[::1]:4711`. */
export function peerOf({ socket: { remoteAddress = "", remotePort } }: FromConnection): string {
  const host = remoteAddress.includes(":") ? `[${remoteAddress}]` : remoteAddress;
  return `${host}:${remotePort}`;
}

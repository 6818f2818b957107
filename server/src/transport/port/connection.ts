import type { Socket } from "node:net";
import { type ContextValues, createContextValues } from "@connectrpc/connect";
import { type Connection, connectionKey } from "../../rpc/context.ts";

/** What came over a connection: a request of Node or of Fastify. */
interface FromConnection {
  readonly socket: Pick<Socket, "remoteAddress" | "remotePort">;
}

/** The context that a call starts with: what its connection knows of it, and wants to know. */
export function connectionContext(connection: Connection): ContextValues {
  return createContextValues().set(connectionKey, connection);
}

/** Address and port of the other end, as `192.0.2.1:4711` or `[::1]:4711`. */
export function peerOf({ socket: { remoteAddress = "", remotePort } }: FromConnection): string {
  const host = remoteAddress.includes(":") ? `[${remoteAddress}]` : remoteAddress;
  return `${host}:${remotePort}`;
}

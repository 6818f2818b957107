import http from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import { Address } from "../http/address.ts";
import { type SocketOptions, startSocket } from "../http/open-socket.ts";

/** Keep-alive connections to one address. */
export interface Origin {
  readonly address: Address;
  readonly agent: http.Agent;
  /** For each connection, a promise that it could be opened. A request that failed before that was never sent. */
  readonly opening: WeakMap<Duplex, Promise<void>>;
  /** Connections that could be opened and have not ended. */
  readonly open: ReadonlySet<Duplex>;
  /** When the last of these ended; monotonic, in milliseconds. */
  closedAtMs: number;
  /** Calls that have a place, with or without a connection yet. */
  callCount: number;
}

export interface OriginOptions extends Omit<SocketOptions, "alpn"> {
  /** Time after which a connection without calls is closed, in milliseconds. */
  readonly idleTimeoutMs: number;
}

/**
 * Creates an agent whose connections have a connect timeout and are recorded. It opens one for each request that finds
 * none free, so that no request waits in its queue.
 */
export function createOrigin(origin: string, options: OriginOptions): Origin {
  const opening = new WeakMap<Duplex, Promise<void>>();
  const open = new Set<Duplex>();
  const { protocol } = new URL(origin);
  const agent = new (protocol === "https:" ? https : http).Agent({ keepAlive: true, timeout: options.idleTimeoutMs });
  agent.createConnection = () => {
    const { socket, ready } = startSocket(origin, { ...options, alpn: "http/1.1" });
    opening.set(socket, ready);
    ready.then(
      () => {
        if (socket.destroyed) return;
        open.add(socket);
        socket.once("close", () => {
          open.delete(socket);
          created.closedAtMs = performance.now();
        });
      },
      // The request that waits for the socket gets the error from it.
      () => {},
    );
    return socket;
  };
  const created: Origin = {
    ...{ address: new Address(origin), agent, opening, open },
    closedAtMs: Number.NEGATIVE_INFINITY,
    callCount: 0,
  };
  return created;
}

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { hasOpenRequests } from "./pipelining.ts";

interface Idle {
  readonly sinceMs: number;
  /** Bytes read at that time. If there are more now, a request has begun. */
  readonly bytesRead: number;
}

/**
 * Tracks the HTTP/1.1 connections that have been answered and wait for another request. Closing one while a request is
 * on its way loses a call (RFC 9112, 9.6), so it stays open until that is unlikely. If a request comes in the meantime,
 * its answer says that the connection closes.
 */
export class IdleConnections {
  readonly #minIdleMs: number;
  readonly #idle = new Map<Socket, Idle>();
  readonly #known = new WeakSet<Socket>();

  /** @param minIdleMs How long a connection has to be without a request before it counts as idle, in milliseconds. */
  constructor(minIdleMs: number) {
    this.#minIdleMs = minIdleMs;
  }

  /** Wraps a listener to observe its answers. */
  observe(handler: RequestListener): RequestListener {
    return (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request;
      this.#idle.delete(socket);
      response.once("close", () => {
        // Bytes behind an early answer are the rest of this request, and begin no other.
        if (request.complete) this.#add(socket);
        else request.once("close", () => this.#add(socket));
      });
      handler(request, response);
    };
  }

  #add(socket: Socket): void {
    if (socket.destroyed || hasOpenRequests(socket)) return;
    if (!this.#known.has(socket)) {
      this.#known.add(socket);
      socket.once("close", () => this.#idle.delete(socket));
    }
    this.#idle.set(socket, { sinceMs: performance.now(), bytesRead: socket.bytesRead });
  }

  /** Closes the connections that have been idle for long enough. */
  closeLongIdle(): void {
    const nowMs = performance.now();
    for (const [socket, { sinceMs, bytesRead }] of this.#idle) {
      if (nowMs - sinceMs >= this.#minIdleMs && socket.bytesRead === bytesRead) socket.destroy();
    }
  }
}

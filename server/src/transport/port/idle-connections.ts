import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { hasOpenRequests } from "./pipelining.ts";

interface Idle {
  readonly sinceMs: number;
  /** Then; more means that a request has begun. */
  readonly bytesRead: number;
}

/**
 * The HTTP/1.1 connections that have had an answer and wait for another request. To
 * close one while a request is on its way costs a call (RFC 9112, 9.6), so it waits
 * until that is unlikely; on a request that comes meanwhile, the answer says that
 * the connection closes.
 */
export class IdleConnections {
  readonly #minIdleMs: number;
  readonly #idle = new Map<Socket, Idle>();
  readonly #known = new WeakSet<Socket>();

  /** Takes how long a connection has to be without a request before it counts as idle, in milliseconds. */
  constructor(minIdleMs: number) {
    this.#minIdleMs = minIdleMs;
  }

  /** The same listener, whose answers are seen. */
  observe(handler: RequestListener): RequestListener {
    return (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request;
      this.#idle.delete(socket);
      response.once("close", () => {
        // What comes behind an early answer is the rest of this request, and begins no other.
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

  /** Closes those that have waited for long enough. */
  closeLongIdle(): void {
    const nowMs = performance.now();
    for (const [socket, { sinceMs, bytesRead }] of this.#idle) {
      if (nowMs - sinceMs >= this.#minIdleMs && socket.bytesRead === bytesRead) socket.destroy();
    }
  }
}

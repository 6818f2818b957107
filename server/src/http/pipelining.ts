import type http from "node:http";
import type { Duplex } from "node:stream";

/** Requests of HTTP/1.1 connections that are not answered yet. */
const openRequests = new WeakMap<Duplex, number>();

/**
 * The same handler for HTTP/1.1, which lets a connection have as many requests open
 * at once as one of HTTP/2 may: a client can send any number without waiting for
 * responses, and Node hands on each as it comes.
 */
export function boundPipelining(handler: http.RequestListener, maxOpenRequests: number): http.RequestListener {
  return (request, response) => {
    const { socket } = request;
    const open = (openRequests.get(socket) ?? 0) + 1;
    if (open > maxOpenRequests) {
      socket.destroy();
      return;
    }
    openRequests.set(socket, open);
    // Where a request asks for an upgrade and gets none, Node drops what has arrived behind it: a request there would
    // wait for ever.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    response.once("close", () => openRequests.set(socket, (openRequests.get(socket) ?? 1) - 1));
    handler(request, response);
  };
}

/** Whether requests of a connection wait for their answers, or for the rest of them. */
export function hasOpenRequests(socket: Duplex): boolean {
  return (openRequests.get(socket) ?? 0) > 0;
}

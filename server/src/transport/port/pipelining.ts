import type http from "node:http";
import type { Duplex } from "node:stream";

/** Requests of HTTP/1.1 connections that are not answered yet. */
const openRequests = new WeakMap<Duplex, Set<http.ServerResponse>>();
/** The last request of connections on which it was answered before its body had arrived. */
const answeredEarly = new WeakMap<Duplex, http.IncomingMessage>();

/**
 * The same handler for HTTP/1.1, which lets a connection have as many requests open
 * at once as one of HTTP/2 may: a client can send any number without waiting for
 * responses, and Node hands on each as it comes.
 */
export function boundPipelining(handler: http.RequestListener, maxOpenRequests: number): http.RequestListener {
  return (request, response) => {
    const { socket } = request;
    let open = openRequests.get(socket);
    if (!open) {
      open = new Set();
      openRequests.set(socket, open);
    }
    if (open.size >= maxOpenRequests) {
      socket.destroy();
      return;
    }
    open.add(response);
    // Where a request asks for an upgrade and gets none, Node drops what has arrived behind it: a request there would
    // wait for ever.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    answeredEarly.delete(socket);
    response.once("close", () => {
      open.delete(response);
      if (!request.complete) answeredEarly.set(socket, request);
    });
    handler(request, response);
  };
}

/** Whether requests of a connection wait for their answers, or for the rest of them. */
export function hasOpenRequests(socket: Duplex): boolean {
  return (openRequests.get(socket)?.size ?? 0) > 0;
}

/** Whether what a connection sends is still the body of a request that has been answered. */
export function isSendingAnswered(socket: Duplex): boolean {
  return answeredEarly.get(socket)?.complete === false;
}

/**
 * Whether an answer to bytes that are no HTTP would be taken for what it is: no request
 * is open, or it is that request's body that is broken, and nothing has been said yet.
 */
export function mayAnswerBrokenRequest(socket: Duplex): boolean {
  const open = [...(openRequests.get(socket) ?? [])];
  return (
    open.length === 0 ||
    (open.length === 1 && open.every((response) => !response.req.complete && !response.headersSent))
  );
}

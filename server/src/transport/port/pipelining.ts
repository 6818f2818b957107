import type http from "node:http";
import type { Duplex } from "node:stream";

/** Unanswered requests of HTTP/1.1 connections. */
const openRequests = new WeakMap<Duplex, Set<http.ServerResponse>>();
/** The last request of a connection, if it was answered before its body had arrived. */
const answeredEarly = new WeakMap<Duplex, http.IncomingMessage>();

/**
 * Wraps an HTTP/1.1 handler, so that a connection has at most as many open requests as an HTTP/2 connection may. A
 * client can send any number without waiting for responses, and Node passes on each as it comes.
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
    // When a request asks for an upgrade and gets none, Node drops the bytes that have arrived behind it. A request
    // there would wait for ever, so the connection closes.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    answeredEarly.delete(socket);
    response.once("close", () => {
      open.delete(response);
      if (!request.complete) answeredEarly.set(socket, request);
    });
    handler(request, response);
  };
}

/** Returns whether a connection has requests that wait for their answers, or for the rest of them. */
export function hasOpenRequests(socket: Duplex): boolean {
  return (openRequests.get(socket)?.size ?? 0) > 0;
}

/** Returns whether a connection is still sending the body of a request that has been answered. */
export function isSendingAnswered(socket: Duplex): boolean {
  return answeredEarly.get(socket)?.complete === false;
}

/**
 * Returns whether an error may be written in answer to bytes that are not HTTP. It may if no request is open, or if the
 * broken bytes are the open request's body and its answer has not begun.
 */
export function mayAnswerBrokenRequest(socket: Duplex): boolean {
  const open = [...(openRequests.get(socket) ?? [])];
  return (
    open.length === 0 ||
    (open.length === 1 && open.every((response) => !response.req.complete && !response.headersSent))
  );
}

import type { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Chain, type Link } from "../../runtime/chain.ts";
import { isLingering, linger } from "./linger.ts";

const connectionKey = Symbol("connection");
const linkKey = Symbol("link");

/** Sockets and responses carry what is known of them, so that a request needs no map and no function of its own. */
type Http1Socket = Duplex & { [connectionKey]?: Http1Connection; readonly bytesRead?: number };
type OpenResponse = ServerResponse & { [linkKey]?: Link<ServerResponse> };

/** Requests of an HTTP/1.1 connection: those that are open, and how the last one ended. */
class Http1Connection {
  readonly socket: Http1Socket;
  /** Responses that have not ended, oldest first. */
  readonly open = new Chain<ServerResponse>();
  /** When the connection is to end with its next answer; monotonic, in milliseconds. */
  retiresAtMs = Number.POSITIVE_INFINITY;
  /** The last request, if it was answered before its body had arrived. */
  answeredEarly: IncomingMessage | undefined;
  /** Since when the connection has been answered and without a request; undefined if it has one. */
  #idleSinceMs: number | undefined;
  /** Bytes read at that time. If there are more now, a request has begun. */
  #bytesReadWhenIdle: number | undefined;

  constructor(socket: Http1Socket) {
    this.socket = socket;
    if (socket instanceof Socket) socket.destroySoon = closeAfterAnswer;
  }

  begin(response: OpenResponse): void {
    this.answeredEarly = undefined;
    this.#idleSinceMs = undefined;
    response[linkKey] = this.open.add(response);
    response.on("close", onResponseClose);
  }

  end({ req: request, [linkKey]: link }: OpenResponse): void {
    this.open.remove(link);
    if (request.complete) {
      this.#noteIdle();
      return;
    }
    this.answeredEarly = request;
    // Bytes behind an early answer are the rest of this request, and begin no other.
    request.once("close", () => this.#noteIdle());
  }

  #noteIdle(): void {
    if (this.open.size > 0) return;
    this.#idleSinceMs = performance.now();
    this.#bytesReadWhenIdle = this.socket.bytesRead;
  }

  isIdleSince(timeMs: number): boolean {
    return (
      this.#idleSinceMs !== undefined &&
      this.#idleSinceMs <= timeMs &&
      this.socket.bytesRead === this.#bytesReadWhenIdle
    );
  }
}

/** Replaces the method by which Node.js closes a connection whose last answer is written. */
function closeAfterAnswer(this: Socket & Http1Socket): void {
  const requests = [...connectionOf(this).open].map(({ req }) => req);
  if (requests.every(({ complete }) => complete)) Socket.prototype.destroySoon.call(this);
  else linger(this, () => requests.every(({ complete }) => complete));
}

function onResponseClose(this: ServerResponse): void {
  connectionOf(this.req.socket).end(this);
}

function connectionOf(socket: Http1Socket): Http1Connection {
  socket[connectionKey] ??= new Http1Connection(socket);
  return socket[connectionKey];
}

/**
 * Counts a request among the open ones of its connection, until its response closes. A client can send any number
 * without waiting for responses, and Node passes on each as it comes.
 *
 * @returns Whether the connection may have another. If not, it is ending, or is destroyed.
 */
export function openRequest(request: IncomingMessage, response: ServerResponse, maxOpenRequests: number): boolean {
  const { socket } = request;
  const connection = connectionOf(socket);
  // Its client was told that the connection ends, and may send the request again elsewhere (RFC 9112, 9.6).
  if (isLingering(socket)) return false;
  if (connection.open.size >= maxOpenRequests) {
    socket.destroy();
    return false;
  }
  connection.begin(response);
  return true;
}

/** Has a connection end with its first answer behind a time; monotonic, in milliseconds. */
export function retireHttp1(socket: Duplex, atMs: number): void {
  connectionOf(socket).retiresAtMs = atMs;
}

/** Returns whether a connection is to end with its next answer. */
export function isRetired(socket: Duplex): boolean {
  return performance.now() >= connectionOf(socket).retiresAtMs;
}

/** Returns whether a connection has requests that wait for their answers, or for the rest of them. */
export function hasOpenRequests(socket: Duplex): boolean {
  return connectionOf(socket).open.size > 0;
}

/** Returns whether a connection is still sending the body of a request that has been answered. */
export function isSendingAnswered(socket: Duplex): boolean {
  return connectionOf(socket).answeredEarly?.complete === false;
}

/**
 * Returns whether an error may be written in answer to bytes that are not HTTP. It may if no request is open, or if the
 * broken bytes are the open request's body and its answer has not begun.
 */
export function mayAnswerBrokenRequest(socket: Duplex): boolean {
  const open = [...connectionOf(socket).open];
  return (
    open.length === 0 ||
    (open.length === 1 && open.every((response) => !response.req.complete && !response.headersSent))
  );
}

/**
 * Returns whether a connection has been answered and has waited for another request since a time; monotonic, in
 * milliseconds. Closing one while a request is on its way loses a call (RFC 9112, 9.6), so a connection stays open until
 * that is unlikely. If a request comes in the meantime, its answer says that the connection closes.
 */
export function isIdleSince(socket: Duplex, timeMs: number): boolean {
  return connectionOf(socket).isIdleSince(timeMs);
}

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest } from "node:http2";
import { isTurnOver } from "../../runtime/loop-turn.ts";
import { type ConnectionGuard, connectionOf, guardOf, setCallBytes } from "./connection-guard.ts";
import { gatherPieces } from "./gather-pieces.ts";
import { hasTurn, startInTurn } from "./start-in-turn.ts";

/** Gets each HTTP/1.1 request ahead of all else. Returns whether it has taken it. */
export type TakeRequest = (request: IncomingMessage, response: ServerResponse) => boolean;

type Request = Parameters<RequestListener>[0];
type Response = Parameters<RequestListener>[1];

/**
 * Wraps a handler, for requests of connections that have a guard. Their bodies come in few pieces, their bytes are
 * counted, and they begin in turn with those of other connections. When a connection holds too much, its further
 * requests are refused over HTTP/2, so that a client may repeat them, and wait over HTTP/1.1.
 *
 * @param takeRequest Gets each HTTP/1.1 request first, in its turn. It counts the bytes of those that it takes.
 */
export function guardRequests(handler: RequestListener, takeRequest: TakeRequest): RequestListener {
  return (request, response) => {
    const connection = connectionOf(request);
    const guard = guardOf(connection);
    // The connection has just been ended.
    if (!connection || !guard) return;
    if (isHttp2(request)) beginHttp2(guard, request, response, handler);
    else enterHttp1(guard, request, response, { handler, takeRequest });
  };
}

function isHttp2(request: Request | (Request & Http2ServerRequest)): request is Request & Http2ServerRequest {
  return "stream" in request;
}

function beginHttp2(guard: ConnectionGuard, request: Request, response: Response, handler: RequestListener): void {
  const { stream } = request as Request & Http2ServerRequest;
  const { session } = stream;
  if (!session || stream.destroyed) return;
  let onPiece = guard.onPiece.bind(guard);
  const isDone = () => stream.writableEnded;
  const isCrowded = () => guard.bytes.isCrowded;
  const joinedBytes = gatherPieces(stream, { onPiece: (...lengths) => onPiece(...lengths), isDone, isCrowded });
  startInTurn(session, () => {
    if (stream.destroyed || stream.closed) return;
    if (!guard.bytes.mayBegin()) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    const joinedOfRequest = gatherPieces(request, { onPiece() {}, isDone });
    const call = guard.bytes.open({
      queuedBytes: () =>
        request.readableLength + joinedOfRequest() + stream.readableLength + joinedBytes() + stream.writableLength,
      unsentBytes: () => stream.writableLength,
      end: () => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM),
    });
    setCallBytes(request, call);
    onPiece = (...lengths) => {
      guard.onPiece(...lengths);
      call.moved();
    };
    stream.once("close", () => call.close());
    handler(request, response);
  });
}

interface Http1Handlers {
  handler: RequestListener;
  takeRequest: TakeRequest;
}

/** Begins a request of an HTTP/1.1 connection behind those ahead of it: an answer that is ready waits for them. */
function enterHttp1(guard: ConnectionGuard, request: Request, response: Response, handlers: Http1Handlers): void {
  const { line } = guard;
  const { socket } = request;
  if (line.length === 0 && hasRoom(guard) && hasTurn(socket)) beginHttp1(guard, request, response, handlers);
  else if (line.push(() => beginHttp1(guard, request, response, handlers)) === 1)
    startInTurn(socket, () => beginNext(guard));
}

function beginHttp1(
  guard: ConnectionGuard,
  request: Request,
  response: Response,
  { handler, takeRequest }: Http1Handlers,
): void {
  const { socket } = request;
  if (socket.destroyed || takeRequest(request, response)) return;
  let onPiece = guard.onPiece.bind(guard);
  const joinedBytes = gatherPieces(request, { onPiece: (...lengths) => onPiece(...lengths), isDone: () => false });
  const call = guard.bytes.open({
    queuedBytes: () => request.readableLength + joinedBytes() + response.writableLength,
    unsentBytes: () => response.writableLength,
    end: () => socket.destroy(),
  });
  setCallBytes(request, call);
  onPiece = (...lengths) => {
    guard.onPiece(...lengths);
    call.moved();
  };
  response.once("close", () => call.close());
  handler(request, response);
}

/** Begins the requests of an HTTP/1.1 connection in order, as far as it may. */
function beginNext(guard: ConnectionGuard): void {
  const { line, bytes } = guard;
  for (let hasBegun = false; line.length > 0; hasBegun = true) {
    if (!hasRoom(guard)) {
      void bytes.budget.when(() => true).then(() => beginNext(guard));
      return;
    }
    if ((hasBegun || bytes.openCalls > 0) && isTurnOver()) {
      setImmediate(() => beginNext(guard));
      return;
    }
    line[0]?.();
    line.shift();
  }
}

/** Returns whether a connection may begin another call. One that has no other always may. */
function hasRoom({ bytes }: ConnectionGuard): boolean {
  return bytes.calls.size === 0 || bytes.mayBegin();
}

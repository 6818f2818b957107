import type { RequestListener } from "node:http";
import { constants, type Http2ServerRequest } from "node:http2";
import { isTurnOver } from "../../runtime/loop-turn.ts";
import { type ConnectionGuard, connectionOf, guardOf, setCallBytes } from "./connection-guard.ts";
import { gatherPieces } from "./gather-pieces.ts";
import { startInTurn } from "./start-in-turn.ts";

type Request = Parameters<RequestListener>[0];
type Response = Parameters<RequestListener>[1];

/**
 * Wraps a handler, for requests of connections that have a guard. Their bodies come in few pieces, their bytes are
 * counted, and they begin in turn with those of other connections. When a connection holds too much, its further
 * requests are refused over HTTP/2, so that a client may repeat them, and wait over HTTP/1.1.
 */
export function guardRequests(handler: RequestListener): RequestListener {
  return (request, response) => {
    const connection = connectionOf(request);
    const guard = guardOf(connection);
    // The connection has just been ended.
    if (!connection || !guard) return;
    const begin = isHttp2(request) ? beginHttp2 : beginHttp1;
    begin(guard, request, response, handler);
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
  const joinedBytes = gatherPieces(stream, { onPiece: (bytes) => onPiece(bytes), isDone, isCrowded });
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
    onPiece = (bytes) => {
      guard.onPiece(bytes);
      call.moved();
    };
    stream.once("close", () => call.close());
    handler(request, response);
  });
}

function beginHttp1(guard: ConnectionGuard, request: Request, response: Response, handler: RequestListener): void {
  const { socket } = request;
  const begin = () => {
    if (socket.destroyed) return;
    let onPiece = guard.onPiece.bind(guard);
    const joinedBytes = gatherPieces(request, { onPiece: (bytes) => onPiece(bytes), isDone: () => false });
    const call = guard.bytes.open({
      queuedBytes: () => request.readableLength + joinedBytes() + response.writableLength,
      unsentBytes: () => response.writableLength,
      end: () => socket.destroy(),
    });
    setCallBytes(request, call);
    onPiece = (bytes) => {
      guard.onPiece(bytes);
      call.moved();
    };
    response.once("close", () => call.close());
    handler(request, response);
  };
  if (guard.line.push(begin) === 1) startInTurn(socket, () => beginNext(guard));
}

/**
 * Begins the requests of an HTTP/1.1 connection in order, as far as it may: an answer that is ready waits for those
 * ahead of it.
 */
function beginNext(guard: ConnectionGuard): void {
  const { line, bytes } = guard;
  while (line.length > 0) {
    if (bytes.calls.size > 0 && !bytes.mayBegin()) {
      void bytes.budget.when(() => true).then(() => beginNext(guard));
      return;
    }
    if (bytes.calls.size > 0 && isTurnOver()) {
      setImmediate(() => beginNext(guard));
      return;
    }
    line[0]?.();
    line.shift();
  }
}

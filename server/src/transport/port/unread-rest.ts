import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from "node:http2";
import { MAX_DROPPED_BYTES } from "../../limits.ts";

/** How long to wait for an answer's end to leave, in milliseconds: at first, and at most between two looks. */
const MIN_END_POLL_MS = 4;
const MAX_END_POLL_MS = 1_000;

/**
 * Lets go of what an answered request still sends: it is of no use to anyone. HTTP/2
 * says so to the client (RFC 9113, 8.1). An HTTP/1.1 client would lose the answer with
 * its connection, so what it sends is read and dropped, for `timeoutMs` and up to
 * `MAX_DROPPED_BYTES`; then the connection is closed.
 */
export function dropRestWhenAnswered(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  timeoutMs: number,
): void {
  if ("stream" in request) endWithAnswer(request.stream);
  else response.once("finish", () => dropRest(request, timeoutMs));
}

/** Reads and drops the rest, so that the connection gets to its next request. Leaves nothing on the connection. */
function dropRest(request: IncomingMessage, timeoutMs: number): void {
  if (request.readableEnded || request.destroyed) return;
  const { socket } = request;
  // What has arrived in full ends by itself.
  if (!request.complete) {
    let bytes = 0;
    const cut = () => socket.destroy();
    const timer = setTimeout(cut, timeoutMs);
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes > MAX_DROPPED_BYTES) cut();
    });
    request.on("close", () => clearTimeout(timer));
  }
  request.resume();
}

/**
 * Ends a stream with its answer, whether its request was read or not. Left to
 * itself, Node keeps a stream whose request was not read to the end, with what
 * has arrived of it, up to a whole window.
 */
function endWithAnswer(stream: ServerHttp2Stream): void {
  // Trailers, even if there are none, are what an answer ends with; "finish" comes
  // before them on the stream, and on the response not before the request's end.
  stream.once("wantTrailers", () => endWhenSent(stream));
}

/** Ends a stream as soon as its answer, which is complete, has left, if its request has not ended by then. */
export function endWhenSent(stream: ServerHttp2Stream): void {
  if (stream.readableEnded || stream.endAfterHeaders) return;
  // A reset overtakes data, so it waits until the end has left, of which no event
  // tells: for a client that does not read, as long as its connection lasts.
  let pollMs = MIN_END_POLL_MS;
  const look = () => {
    if (stream.destroyed) return;
    if (!stream.closed && stream.state.localClose !== 1) {
      pollMs = Math.min(pollMs * 2, MAX_END_POLL_MS);
      timer = setTimeout(look, pollMs);
      return;
    }
    stream.close(constants.NGHTTP2_NO_ERROR);
    stream.destroy();
  };
  let timer = setTimeout(look, pollMs);
  stream.once("close", () => clearTimeout(timer));
}

import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from "node:http2";
import { MAX_DROPPED_BYTES } from "../../limits.ts";

/** Time to wait for the end of an answer to leave, in milliseconds: at first, and the longest between two looks. */
const MIN_END_POLL_MS = 4;
const MAX_END_POLL_MS = 1_000;

/**
 * Discards what an answered request still sends. HTTP/2 asks the client to stop (RFC 9113, 8.1). An HTTP/1.1 client
 * would lose the answer with its connection, so the rest is read and dropped for `timeoutMs` and up to
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

/**
 * Reads and drops the rest of a request that has been answered, within the same bounds, so that the connection gets to
 * its next request. Leaves no listener on the connection.
 */
export function dropRest(request: IncomingMessage, timeoutMs: number): void {
  if (request.readableEnded || request.destroyed) return;
  const { socket } = request;
  // A request that has arrived in full ends by itself.
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
 * Ends a stream with its answer, whether its request was read or not. Otherwise Node keeps a stream whose request was
 * not read to the end, with the bytes that have arrived, up to a whole window.
 */
function endWithAnswer(stream: ServerHttp2Stream): void {
  // Wait for "wantTrailers": an answer ends with its trailers, even if there are none. "finish" comes before them on
  // the stream, and on the response not before the request's end.
  stream.once("wantTrailers", () => endWhenSent(stream));
}

/** Ends a stream as soon as its answer, which is complete, has left, if its request has not ended by then. */
export function endWhenSent(stream: ServerHttp2Stream): void {
  if (stream.readableEnded || stream.endAfterHeaders) return;
  // No event reports when the end of an answer leaves, so this polls, for as long as the connection lasts if the client
  // does not read.
  let pollMs = MIN_END_POLL_MS;
  const look = () => {
    if (endIfSent(stream)) return;
    pollMs = Math.min(pollMs * 2, MAX_END_POLL_MS);
    timer = setTimeout(look, pollMs);
  };
  let timer = setTimeout(look, pollMs);
  stream.once("close", () => clearTimeout(timer));
}

/**
 * Resets a stream whose answer has left, if its request has not ended by then. A reset overtakes data, so it has to
 * wait. Returns whether the stream is done with.
 */
export function endIfSent(stream: ServerHttp2Stream): boolean {
  if (stream.destroyed) return true;
  if (!stream.closed && stream.state.localClose !== 1) return false;
  if (!stream.readableEnded) {
    stream.close(constants.NGHTTP2_NO_ERROR);
    stream.destroy();
  }
  return true;
}

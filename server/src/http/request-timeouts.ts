import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { DescMethod } from "@bufbuild/protobuf";

/** Bounds of the time that a peer may take to send a request or to read its answer. */
export interface RequestTimeouts {
  /** For the whole body of a request with one message, in milliseconds. Default 30 s. */
  bodyTimeoutMs: number;
  /** Between two parts of an upload, and between two reads of an answer, in milliseconds. Default 1 min. */
  stallTimeoutMs: number;
}

export const defaultRequestTimeouts: RequestTimeouts = { bodyTimeoutMs: 30_000, stallTimeoutMs: 60_000 };

const END_POLL_MS = 5;

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/**
 * Cuts a request whose client sends its body too slowly or does not read the
 * response. A deadline can't: it ends a call, not the wait for a peer. A quiet
 * stream that waits for nobody is left alone.
 *
 * @param methodKind Of the RPC that the request is for, if it is for one.
 */
export function boundRequest(
  request: Request,
  response: Response,
  methodKind: DescMethod["methodKind"] | undefined,
  timeouts: RequestTimeouts,
): void {
  const { bodyTimeoutMs, stallTimeoutMs } = timeouts;
  // Who stops reading a request takes its socket away.
  const { socket } = request;
  const cut = () => {
    if ("stream" in request) request.stream.close(constants.NGHTTP2_CANCEL);
    else socket.destroy();
  };
  const takesManyMessages = methodKind === "client_streaming" || methodKind === "bidi_streaming";
  // Nobody reads a GET to its end, since it has none; Connect makes reads of them.
  if (!takesManyMessages && request.method !== "GET") {
    const bodyTimer = setTimeout(cut, bodyTimeoutMs);
    const clear = () => clearTimeout(bodyTimer);
    request.once("end", clear);
    request.once("close", clear);
  }

  response.on("timeout", () => {
    const awaitsUpload = methodKind === "client_streaming" && !request.complete;
    if (awaitsUpload || unsentBytes(response) > 0) cut();
    else response.setTimeout(stallTimeoutMs);
  });
  response.setTimeout(stallTimeoutMs);

  // The answer is complete, so what the client still sends is of no use. HTTP/2
  // says so (RFC 9113, 8.1); an HTTP/1.1 client would lose the answer with its
  // connection, so what it sends is read and dropped for a while.
  if ("stream" in request) endWithAnswer(request.stream);
  else response.once("finish", () => dropRest(request, socket, bodyTimeoutMs));
}

/**
 * Ends a stream with its answer, whether its request was read or not. Left to
 * itself, Node keeps a stream whose request was not read to the end, with what
 * has arrived of it, up to a whole window.
 */
function endWithAnswer(stream: ServerHttp2Stream): void {
  // Trailers, even if there are none, are what an answer ends with; "finish" comes
  // before them on the stream, and on the response not before the request's end.
  stream.once("wantTrailers", () => {
    if (stream.readableEnded || stream.endAfterHeaders) return;
    // A reset overtakes data, so it waits until the end has left, of which no event
    // tells: for a client that does not read, as long as its connection lasts.
    const poll = setInterval(() => {
      if (!stream.destroyed && !stream.closed && stream.state.localClose !== 1) return;
      clearInterval(poll);
      if (stream.destroyed) return;
      stream.close(constants.NGHTTP2_NO_ERROR);
      stream.destroy();
    }, END_POLL_MS);
  });
}

/**
 * Reads and drops the rest of a request, so that the connection gets to its next
 * one; closes the connection if that takes longer than `timeoutMs`.
 */
function dropRest(request: IncomingMessage, socket: Socket, timeoutMs: number): void {
  if (request.complete) return;
  // Node stops reading from the connection for as long as nobody takes what it read.
  const readOn = () => {
    while (request.read() !== null);
    if (request.complete) stop();
    else socket.resume();
  };
  const timer = setTimeout(() => {
    if (!request.complete) socket.destroy();
    stop();
  }, timeoutMs);
  const stop = () => {
    clearTimeout(timer);
    socket.off("pause", readOn).off("close", stop);
  };
  socket.on("pause", readOn).on("close", stop);
  readOn();
}

function unsentBytes(response: Response): number {
  return "stream" in response ? (response.stream?.writableLength ?? 0) : response.writableLength;
}

import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { DescMethod } from "@bufbuild/protobuf";

/** Bounds of the time that a peer may take to send a request or to read its answer. */
export interface RequestTimeouts {
  /** For the whole body of a request with one message, in milliseconds. Default 30 s. */
  bodyTimeoutMs: number;
  /** Between two parts of an upload, and between two reads of an answer, in milliseconds. Default 1 min. */
  stallTimeoutMs: number;
}

export const defaultRequestTimeouts: RequestTimeouts = { bodyTimeoutMs: 30_000, stallTimeoutMs: 60_000 };

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/**
 * Cuts a request whose client sends its body too slowly or does not read the
 * answer. A deadline can't: it ends a call, not the wait for a peer. A quiet
 * stream that waits for nobody is left alone.
 */
export function boundRequest(
  request: Request,
  response: Response,
  method: DescMethod,
  timeouts: RequestTimeouts,
): void {
  const { bodyTimeoutMs, stallTimeoutMs } = timeouts;
  let bodyTimer: NodeJS.Timeout | undefined;
  const boundBody = () => {
    bodyTimer ??= setTimeout(() => cut(request, constants.NGHTTP2_CANCEL), bodyTimeoutMs);
  };
  const clear = () => clearTimeout(bodyTimer);
  request.once("end", clear);
  request.once("close", clear);
  if (method.methodKind === "unary" || method.methodKind === "server_streaming") boundBody();

  response.setTimeout(stallTimeoutMs, () => {
    const awaitsUpload = method.methodKind === "client_streaming" && !request.complete;
    if (awaitsUpload || unsentBytes(response) > 0) cut(request, constants.NGHTTP2_CANCEL);
    else response.setTimeout(stallTimeoutMs);
  });

  response.once("finish", () => {
    if (request.complete) return;
    // The answer is complete, so what the client still sends is of no use. HTTP/2
    // says so (RFC 9113, 8.1); an HTTP/1.1 client would lose the answer with its
    // connection, so what it sends is read and dropped for a while.
    if ("stream" in request) cut(request, constants.NGHTTP2_NO_ERROR);
    else boundBody();
  });
}

function unsentBytes(response: Response): number {
  return "stream" in response ? (response.stream?.writableLength ?? 0) : response.writableLength;
}

function cut(request: Request, http2Code: number): void {
  if ("stream" in request) request.stream.close(http2Code);
  else request.socket.destroy();
}

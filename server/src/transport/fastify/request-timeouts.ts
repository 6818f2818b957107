import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { DescMethod } from "@bufbuild/protobuf";
import type { RequestTimeouts } from "../../limits.ts";

export interface BoundOptions {
  timeouts: RequestTimeouts;
  /** Kind of the method, if the request is an RPC. */
  methodKind?: DescMethod["methodKind"] | undefined;
  /** Called when the body has not arrived in time. Without it the request is cut. */
  onLate?: (() => void) | undefined;
  /** Returns whether the body's reader waits for the client; otherwise the client is not late. Default: it does. */
  isAwaited?: (() => boolean) | undefined;
}

/**
 * Ends a request whose client sends its body too slowly, and cuts one whose client does not read the response. A
 * deadline can't do that: it ends a call, not the wait for a client. A quiet stream is left alone while nobody waits
 * for it.
 */
export function boundRequest(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  { timeouts, methodKind, onLate, isAwaited = () => true }: BoundOptions,
): void {
  const { bodyTimeoutMs, stallTimeoutMs } = timeouts;
  const { socket } = request;
  const cut = () => {
    if ("stream" in request) request.stream.close(constants.NGHTTP2_CANCEL);
    else socket.destroy();
  };
  const late = onLate ?? cut;
  const takesManyMessages = methodKind === "client_streaming" || methodKind === "bidi_streaming";
  // The end of a GET's body is never read, since Connect takes its message from the URL.
  if (!takesManyMessages && request.method !== "GET") {
    const bodyTimer = setTimeout(() => {
      if (isAwaited()) late();
      else bodyTimer.refresh();
    }, bodyTimeoutMs);
    const clear = () => clearTimeout(bodyTimer);
    request.once("end", clear);
    request.once("close", clear);
    // After the answer the rest is dropped, with time limits of its own.
    response.once("finish", clear);
  }

  response.on("timeout", () => {
    if (unsentBytes(response) > 0) return cut();
    response.setTimeout(stallTimeoutMs);
    if (methodKind === "client_streaming" && !request.complete && isAwaited()) late();
  });
  response.setTimeout(stallTimeoutMs);
}

function unsentBytes(response: ServerResponse | Http2ServerResponse): number {
  return "stream" in response ? (response.stream?.writableLength ?? 0) : response.writableLength;
}

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { Logger } from "pino";
import type { RequestTimeouts } from "../../limits.ts";
import { tooLate } from "../../rpc/call-errors.ts";
import { faultResponse } from "../../rpc/stages/answer-faults.ts";
import { arrivalOf } from "../admission/arrival-time.ts";
import { queryOf } from "../admission/target.ts";
import { requestContextValues } from "../port/connection.ts";
import { callBytesOf, connectionHooks } from "../port/connection-guard.ts";
import type { Caller } from "../port/forwarded.ts";
import { countHeaders, headersOf } from "../port/raw-headers.ts";
import { RequestBody } from "./request-body.ts";
import { boundRequest } from "./request-timeouts.ts";
import { GONE, ResponseWriter } from "./write-response.ts";

/** Base of the URLs that handlers see. The client's authority decides nothing, and may not be valid in a URL. */
const BASE_URL = "http://localhost";

type Request = IncomingMessage | Http2ServerRequest;

export interface CarryOptions {
  handler: UniversalHandler;
  requestId: string;
  caller: Caller;
  /** Headers of the answer, in addition to its own. */
  headers: OutgoingHttpHeaders;
  timeouts: RequestTimeouts;
  logger: Logger;
}

/**
 * Carries one call between a request of either HTTP version and its method's handler. Every call gets an answer: an
 * error in this code is the server's fault, which is logged and never answered with 200.
 */
export async function carryCall(
  request: Request,
  response: ServerResponse | Http2ServerResponse,
  options: CarryOptions,
): Promise<void> {
  const { handler, requestId, caller, headers, timeouts, logger } = options;
  const { methodKind } = handler.method;
  const body = new RequestBody(request);
  const bytes = callBytesOf(request);
  if (bytes) bytes.reader = body;
  const abort = new AbortController();
  const writer = new ResponseWriter(
    response,
    () => abort.abort(GONE),
    () => bytes?.recount(),
  );
  boundRequest(request, response, {
    timeouts,
    methodKind,
    isAwaited: () => body.isAwaited,
    onLate() {
      body.fail(tooLate());
    },
  });
  try {
    const answer = await handler({
      httpVersion: request.httpVersion,
      method: request.method ?? "",
      url: BASE_URL + handler.requestPath + queryOf(request.url ?? ""),
      header: headersOf(request.rawHeaders),
      body,
      signal: abort.signal,
      contextValues: requestContextValues({
        ...connectionHooks(request),
        ...caller,
        requestId,
        startedAtMs: arrivalOf(request),
        authorizationCount: countHeaders(request.rawHeaders, "authorization"),
      }),
    });
    await writer.write(answer, headers);
  } catch (error) {
    if (writer.isGone) return;
    logger.error({ requestId, path: handler.requestPath, err: error }, "call failed");
    const fault = faultResponse(request.headers["content-type"] ?? "");
    if (!response.headersSent) await writer.write(fault, headers).catch(() => cut(request));
    else if (fault.trailer) writer.end(fault.trailer);
    else cut(request);
  }
}

/** Breaks off a request whose answer can't be completed, so that the client does not take it for complete. */
function cut(request: Request): void {
  if ("stream" in request) request.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else request.socket.destroy();
}

import { METHODS, type RequestListener, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { Code } from "@connectrpc/connect";
import { requestIdFrom } from "../../runtime/request-id.ts";
import { errorBody } from "../fastify/reply-error.ts";
import type { BoundedLines } from "./bounded-lines.ts";
import { peerOf } from "./connection.ts";
import { callerOf } from "./connection-guard.ts";
import { hasOpenRequests, isSendingAnswered, mayAnswerBrokenRequest } from "./http1-connection.ts";
import { isLingering, linger } from "./linger.ts";
import { headerListSize } from "./raw-headers.ts";
import { dropRestWhenAnswered } from "./unread-rest.ts";

export interface HttpRefusalsOptions {
  /** Largest header list, in bytes as {@link headerListSize} counts them. */
  maxHeaderBytes: number;
  /** Time for the rest of a refused request, in milliseconds. */
  bodyTimeoutMs: number;
  refusedLines: BoundedLines;
}

/**
 * Wraps a handler, so that it gets only requests that a framework can handle: with a header of bounded size, and a
 * method that HTTP/1.1's parser knows (HTTP/2 accepts any). Both versions have one limit and one answer.
 */
export function refuseUnknown(handler: RequestListener, options: HttpRefusalsOptions): RequestListener {
  const { maxHeaderBytes, bodyTimeoutMs, refusedLines } = options;
  return (request, response) => {
    const refusal =
      headerListSize(request.rawHeaders) > maxHeaderBytes
        ? headerTooLarge(maxHeaderBytes)
        : !isServed(request.method ?? "") && unknownMethod;
    if (!refusal) return handler(request, response);
    const { status, code, message } = refusal;
    const requestId = requestIdFrom(request.headers["x-request-id"]);
    const path = request.url?.split("?", 1)[0]?.slice(0, 200);
    refusedLines.info({ requestId, path, status, peer: callerOf(request).peer });
    const body = errorBody(code, message);
    dropRestWhenAnswered(request, response, bodyTimeoutMs);
    response.writeHead(status, jsonHeaders(requestId, body)).end(body);
  };
}

/** Tunnels (CONNECT) are not served. Over HTTP/1.1 Node closes their connection. */
function isServed(method: string): boolean {
  return method !== "CONNECT" && METHODS.includes(method);
}

/**
 * Answers bytes that Node's HTTP/1.1 parser rejects, and closes their connection. Writes nothing where the answer could
 * be taken for that to another request.
 */
export function createClientErrorHandler({ maxHeaderBytes, refusedLines }: Omit<HttpRefusalsOptions, "bodyTimeoutMs">) {
  return (error: NodeJS.ErrnoException, socket: Socket): void => {
    // Node reports the rest of a broken request again and again.
    if (isLingering(socket)) return;
    // The request has its answer and its line in the log. A second answer would be taken for the next request's.
    if (isSendingAnswered(socket)) {
      linger(socket, () => false);
      return;
    }
    // Any other error means that a connection broke or a handshake failed.
    const isHttp = error.code === "ERR_HTTP_REQUEST_TIMEOUT" || error.code?.startsWith("HPE_");
    // If a client leaves in the middle of a call, that call deals with it.
    const hasGone = error.code === "HPE_INVALID_EOF_STATE" && hasOpenRequests(socket);
    if (!isHttp || hasGone || !socket.writable || !mayAnswerBrokenRequest(socket)) {
      socket.destroy();
      return;
    }
    const { status, code, message } = refusalOf(error, maxHeaderBytes);
    const requestId = requestIdFrom(undefined);
    refusedLines.info({ requestId, status, reason: error.code, peer: peerOf({ socket }) });
    const body = errorBody(code, message);
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\n`;
    for (const [name, value] of Object.entries(jsonHeaders(requestId, body))) head += `${name}: ${value}\r\n`;
    socket.write(`${head}\r\n${body}`);
    linger(socket, () => false);
  };
}

/** Why a request is refused before it is a call: a status, and an error in Connect's form. */
export interface HttpRefusal {
  readonly status: number;
  readonly code: Code;
  readonly message: string;
}

const unknownMethod: HttpRefusal = { status: 501, code: Code.Unimplemented, message: "no such HTTP method" };

function headerTooLarge(maxBytes: number): HttpRefusal {
  return { status: 431, code: Code.ResourceExhausted, message: `header is larger than ${maxBytes} bytes` };
}

function refusalOf(error: NodeJS.ErrnoException, maxHeaderBytes: number): HttpRefusal {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return headerTooLarge(maxHeaderBytes);
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return { status: 413, code: Code.ResourceExhausted, message: "chunk extensions are too large" };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { status: 408, code: Code.DeadlineExceeded, message: "the header did not arrive in time" };
    default:
      return { status: 400, code: Code.InvalidArgument, message: "malformed request" };
  }
}

function jsonHeaders(requestId: string, body: string): Record<string, string> {
  return {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    "x-content-type-options": "nosniff",
    "x-request-id": requestId,
  };
}

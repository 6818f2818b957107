import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { SUBPROTOCOL } from "@rollcall/shared/grpc-websockets";
import { hasValidHost, isOwnOrigin } from "../fastify/authority.ts";
import type { HttpRefusal } from "../port/raw-refusals.ts";

export const REFUSALS = {
  draining: { status: 503, code: Code.Unavailable, message: "server is shutting down" },
  host: { status: 400, code: Code.InvalidArgument, message: "invalid host" },
  path: { status: 404, code: Code.Unimplemented, message: "no such method" },
  origin: { status: 403, code: Code.PermissionDenied, message: "origin is not allowed" },
  subprotocol: { status: 400, code: Code.InvalidArgument, message: `subprotocol must be ${SUBPROTOCOL}` },
} as const satisfies Record<string, HttpRefusal>;

/** Returns the refusal of a WebSocket request; undefined if it is accepted. */
export function refusalOf(
  request: IncomingMessage,
  isMethod: boolean,
  origins: readonly string[],
): HttpRefusal | undefined {
  if (!hasValidHost(request)) return REFUSALS.host;
  if (!isMethod) return REFUSALS.path;
  if (!isAllowedOrigin(request, origins)) return REFUSALS.origin;
  if (!subprotocolsOf(request).includes(SUBPROTOCOL)) return REFUSALS.subprotocol;
  return undefined;
}

/**
 * Returns whether the page that opened the socket may do so. Browsers let any page open a socket to any server, and
 * send the page's Origin, so this check is the only protection. Other clients send no Origin.
 */
function isAllowedOrigin({ headers, socket }: IncomingMessage, origins: readonly string[]): boolean {
  const { origin, host } = headers;
  if (origin === undefined || origins.includes(origin)) return true;
  return isOwnOrigin(origin, host, socket instanceof TLSSocket);
}

function subprotocolsOf({ headers }: IncomingMessage): string[] {
  return (headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
}

/** Refuses a WebSocket request with an error in Connect's form, and ends its connection. */
export function endWithError(socket: Duplex, requestId: string, { status, code, message }: HttpRefusal): void {
  const body = JSON.stringify({ code: codeToString(code), message });
  socket.on("error", () => socket.destroy());
  socket.once("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `x-request-id: ${requestId}\r\nx-content-type-options: nosniff\r\nsec-websocket-version: 13\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

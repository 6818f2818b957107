import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { Code } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { SUBPROTOCOL } from "@rollcall/shared/grpc-websockets";
import type { Logger } from "pino";
import { type WebSocket, WebSocketServer } from "ws";
import {
  defaultGrpcWebSocketsLimits,
  defaultRequestTimeouts,
  type GrpcWebSocketsLimits,
  type RequestTimeouts,
} from "../../limits.ts";
import { requestIdFrom } from "../../runtime/request-id.ts";
import type { Admission } from "../admission/admission.ts";
import { BoundedLines } from "../port/bounded-lines.ts";
import { peerOf } from "../port/connection.ts";
import { hasOpenRequests } from "../port/pipelining.ts";
import type { HttpRefusal } from "../port/raw-refusals.ts";
import { SocketCall } from "./call.ts";
import { endWithError, REFUSALS, refusalOf } from "./refusal.ts";

/**
 * Room in a frame beside a message of the largest size, for its tag and prefix. A slightly larger message is refused
 * in-band.
 */
const FRAME_OVERHEAD_BYTES = 64 * 1_024;
/**
 * Smallest average size of the parts in which an incomplete frame waits. Each part costs much more than a byte. A
 * packet of the smallest usual network has 512 bytes.
 */
const MIN_PART_BYTES = 512;
/** Parts of one WebSocket message: browsers split a large one into some dozens. */
const MAX_FRAGMENTS = 1_024;
/** Beyond this many unsent bytes a client's pings go unanswered, so that a flood of them fills no memory. */
const PONG_LIMIT_BYTES = 1024 ** 2;
const MAX_UNANSWERED_PINGS = 2;
/** Time for a client to answer a close; then the connection is cut. */
const CLOSE_TIMEOUT_MS = 5_000;

export interface GrpcWebSocketsOptions {
  /** Handlers of all methods, whatever their kind, by path. */
  handlers: ReadonlyMap<string, UniversalHandler>;
  /** Origins whose pages may open a socket, beside the server's own. */
  origins: readonly string[];
  /** Largest message, in bytes. */
  maxMessageBytes: number;
  limits?: Partial<GrpcWebSocketsLimits> | undefined;
  timeouts?: Partial<RequestTimeouts> | undefined;
  /** Admits calls, together with those of other connections. */
  admission: Admission;
  /** Most lines about refused WebSocket requests a second. */
  refusedLinesPerSecond?: number | undefined;
  logger: Logger;
}

export interface GrpcWebSockets {
  /** Refuses new sockets and closes those without a call. A call under way ends by itself, and its socket with it. */
  drain(): void;
}

/**
 * Carries calls over WebSockets for browsers, whose fetch can't stream a request while it reads the answer. Speaks the
 * `grpc-websockets` subprotocol of improbable-eng/grpc-web: one socket a call, at the call's own path.
 *
 * The server must treat only `Upgrade: websocket` as an upgrade.
 */
export function acceptGrpcWebSockets(server: Server, options: GrpcWebSocketsOptions): GrpcWebSockets {
  const { handlers, origins, maxMessageBytes, admission, logger } = options;
  const limits = { ...defaultGrpcWebSocketsLimits, ...options.limits };
  const timeouts = { ...defaultRequestTimeouts, ...options.timeouts };
  const callOptions = { ...limits, timeouts, admission, logger };
  const calls = new Map<WebSocket, SocketCall>();
  /** Pings since a socket last gave a sign of life. */
  const unanswered = new WeakMap<WebSocket, number>();
  const refusedLines = new BoundedLines(logger, "WebSocket refused", options.refusedLinesPerSecond);
  let draining = false;
  const serverOptions = {
    noServer: true,
    clientTracking: false,
    handleProtocols: () => SUBPROTOCOL,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: maxMessageBytes + FRAME_OVERHEAD_BYTES,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: Math.ceil((maxMessageBytes + FRAME_OVERHEAD_BYTES) / MIN_PART_BYTES),
    closeTimeout: CLOSE_TIMEOUT_MS,
  };
  const webSockets = new WebSocketServer(serverOptions);
  const pinging = setInterval(() => {
    for (const ws of calls.keys()) {
      // A socket that is paused because its handler is slow can't be seen to answer.
      const pings = ws.isPaused ? 0 : (unanswered.get(ws) ?? 0);
      unanswered.set(ws, pings + 1);
      if (pings < MAX_UNANSWERED_PINGS) ws.ping();
      else ws.terminate();
    }
  }, limits.pingIntervalMs).unref();

  const refuse = (request: IncomingMessage, socket: Duplex, { status, code, message }: HttpRefusal) => {
    const requestId = requestIdFrom(request.headers["x-request-id"]);
    const path = pathOf(request).slice(0, 200);
    const origin = request.headers.origin?.slice(0, 200);
    refusedLines.info({ requestId, path, origin, status, peer: peerOf(request) });
    endWithError(socket, requestId, { status, code, message });
  };
  webSockets.on("wsClientError", ({ message }: Error, socket: Duplex, request: IncomingMessage) => {
    refuse(request, socket, { status: 400, code: Code.InvalidArgument, message });
  });

  const accept = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // An error written now would come ahead of the open requests' answers, and the client would take it for one of
    // them.
    if (hasOpenRequests(socket)) {
      socket.destroy();
      return;
    }
    const handler = handlers.get(pathOf(request));
    const refusal = draining ? REFUSALS.draining : refusalOf(request, handler !== undefined, origins);
    if (refusal || !handler) return refuse(request, socket, refusal ?? REFUSALS.path);

    webSockets.handleUpgrade(request, socket, head, (ws) => begin(ws, request, handler));
  };
  /** This is a function of its own, so that no closure that lives as long as the socket keeps the request. */
  const begin = (ws: WebSocket, request: IncomingMessage, handler: UniversalHandler) => {
    calls.set(ws, new SocketCall(ws, request, handler, callOptions));
    ws.once("close", () => calls.delete(ws));
    for (const event of ["message", "pong"]) ws.on(event, () => unanswered.delete(ws));
    answerLatestPing(ws);
  };
  server.on("upgrade", accept);

  return {
    drain() {
      draining = true;
      clearInterval(pinging);
      for (const call of calls.values()) call.goAway();
    },
  };
}

/**
 * Answers a ping, or the latest of many, once a turn of the loop (RFC 6455, 5.5.3). Answering each would cost a flood's
 * victim more than its sender.
 */
function answerLatestPing(ws: WebSocket): void {
  let latest: Buffer | undefined;
  ws.on("ping", (data) => {
    if (latest === undefined) {
      setImmediate(() => {
        if (ws.readyState === ws.OPEN && ws.bufferedAmount < PONG_LIMIT_BYTES) ws.pong(latest);
        latest = undefined;
      });
    }
    latest = data;
  });
}

function pathOf({ url = "" }: IncomingMessage): string {
  return url.split("?", 1)[0] ?? "";
}

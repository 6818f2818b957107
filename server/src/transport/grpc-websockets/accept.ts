import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { Code } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { SUBPROTOCOL } from "@rollcall/shared/grpc-websockets";
import type { Logger } from "pino";
import { WebSocketServer } from "ws";
import {
  defaultGrpcWebSocketsLimits,
  defaultRequestTimeouts,
  type GrpcWebSocketsLimits,
  type RequestTimeouts,
} from "../../limits.ts";
import { requestIdFrom } from "../../runtime/request-id.ts";
import type { Admission } from "../admission/admission.ts";
import type { Engine } from "../engine/engine.ts";
import { BoundedLines } from "../port/bounded-lines.ts";
import { callerOf } from "../port/connection-guard.ts";
import { hasOpenRequests } from "../port/http1-connection.ts";
import type { HttpRefusal } from "../port/raw-refusals.ts";
import type { RefusalCounts } from "../refusals.ts";
import { SocketCall } from "./call.ts";
import { CallWebSocket } from "./call-web-socket.ts";
import { endWithError, REFUSALS, refusalOf } from "./refusal.ts";

/**
 * Room in a frame beyond the largest message, for its tag and prefix. A slightly larger message can thus be refused
 * in-band.
 */
const FRAME_OVERHEAD_BYTES = 64 * 1_024;
/**
 * Smallest average size of the parts of a waiting incomplete frame, in bytes. Each part costs much more than a byte. A
 * packet of the smallest usual network has 512 bytes.
 */
const MIN_PART_BYTES = 512;
/** Most parts of one WebSocket message. Browsers split a large one into some dozens. */
const MAX_FRAGMENTS = 1_024;
/** Time for a client to answer a close, in milliseconds. Then the connection is cut. */
const CLOSE_TIMEOUT_MS = 5_000;

export interface GrpcWebSocketsOptions {
  /** Handlers of all methods of all kinds, by path. */
  handlers: ReadonlyMap<string, UniversalHandler>;
  /** Origins whose pages may open a socket, in addition to the server's own. */
  origins: readonly string[];
  /** Largest message, in bytes. */
  maxMessageBytes: number;
  limits?: Partial<GrpcWebSocketsLimits> | undefined;
  timeouts?: Partial<RequestTimeouts> | undefined;
  /** Carries the calls that it can. Without it Connect's own carrier carries all. */
  engine?: Engine | undefined;
  /** Admits calls, together with those of other connections. */
  admission: Admission;
  /** Most log lines a second about refused WebSocket requests. */
  refusedLinesPerSecond?: number | undefined;
  refusals: RefusalCounts;
  logger: Logger;
}

export interface GrpcWebSockets {
  /** Refuses new sockets, and closes those without a call. An open call ends by itself, and its socket with it. */
  drain(): void;
  /** Number of open sockets. */
  readonly size: number;
}

/**
 * Carries calls over WebSockets for browsers, whose fetch can't stream a request while it reads the answer. Speaks the
 * `grpc-websockets` subprotocol of improbable-eng/grpc-web: one socket a call, at the call's own path.
 *
 * The server must treat only `Upgrade: websocket` as an upgrade.
 */
export function acceptGrpcWebSockets(server: Server, options: GrpcWebSocketsOptions): GrpcWebSockets {
  const { handlers, origins, maxMessageBytes, admission, engine, logger } = options;
  const limits = { ...defaultGrpcWebSocketsLimits, ...options.limits };
  const timeouts = { ...defaultRequestTimeouts, ...options.timeouts };
  const callOptions = { ...limits, timeouts, admission, engine, logger };
  const sockets = new Set<CallWebSocket>();
  const refusedLines = new BoundedLines(logger, "WebSocket refused", options.refusedLinesPerSecond, () => {
    options.refusals.add("websocket");
  });
  let draining = false;
  const serverOptions = {
    noServer: true,
    WebSocket: CallWebSocket,
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
    for (const ws of sockets) ws.pingOrCut();
  }, limits.pingIntervalMs).unref();

  const refuse = (request: IncomingMessage, socket: Duplex, { status, code, message }: HttpRefusal) => {
    const requestId = requestIdFrom(request.headers["x-request-id"]);
    const path = pathOf(request).slice(0, 200);
    const origin = request.headers.origin?.slice(0, 200);
    refusedLines.info({ requestId, path, origin, status, peer: callerOf(request).peer });
    endWithError(socket, requestId, { status, code, message });
  };
  webSockets.on("wsClientError", ({ message }: Error, socket: Duplex, request: IncomingMessage) => {
    refuse(request, socket, { status: 400, code: Code.InvalidArgument, message });
  });

  const accept = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // An error written now would arrive before the open requests' answers, and the client would take it for one of
    // them.
    if (hasOpenRequests(socket)) {
      socket.destroy();
      return;
    }
    const handler = handlers.get(pathOf(request));
    const refusal = draining ? REFUSALS.draining : refusalOf(request, handler !== undefined, origins);
    if (refusal || !handler) return refuse(request, socket, refusal ?? REFUSALS.path);

    webSockets.handleUpgrade(request, socket, head, (ws) => {
      sockets.add(ws);
      ws.carry(new SocketCall(ws, request, handler, callOptions), sockets);
    });
  };
  server.on("upgrade", accept);

  return {
    get size() {
      return sockets.size;
    },
    drain() {
      draining = true;
      clearInterval(pinging);
      for (const { call } of sockets) call?.goAway();
    },
  };
}

function pathOf({ url = "" }: IncomingMessage): string {
  return url.split("?", 1)[0] ?? "";
}

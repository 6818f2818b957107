import type { IncomingMessage } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { parseTimeout } from "@connectrpc/connect/protocol-grpc";
import { BODY, HALF_CLOSE } from "@rollcall/shared/grpc-websockets";
import type { Logger } from "pino";
import type { WebSocket } from "ws";
import type { RequestTimeouts } from "../../limits.ts";
import { callKey } from "../../rpc/context.ts";
import { requestIdFrom } from "../../runtime/request-id.ts";
import type { Admission, Arrival } from "../admission/admission.ts";
import { refusalErrors } from "../admission/admit-calls.ts";
import { peerOf, requestContextValues } from "../port/connection.ts";
import { connectionHooks, countWebSocket } from "../port/connection-guard.ts";
import { PushedBody } from "./body.ts";
import { formatHeaderFrame, parseHeaderBlock } from "./header.ts";
import { SocketHolds } from "./holds.ts";
import { sendResponse } from "./send.ts";

/** Close codes (RFC 6455, 7.4.1). */
const NORMAL = 1000;
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;
const INTERNAL_ERROR = 1011;
/**
 * Time for bytes in flight to leave when a call has failed, such as by its deadline or an expired token, in
 * milliseconds.
 */
const SEND_GRACE_MS = 5_000;
/** Bytes that a client may still send while its socket closes, before the socket is no longer read. */
const MAX_BYTES_AFTER_END = 64 * 1_024;

/** Limits and objects that all sockets share. */
export interface SocketCallOptions {
  /** Largest header block, in bytes. */
  maxHeaderBytes: number;
  /** Time for the header block to arrive, in milliseconds. */
  headerTimeoutMs: number;
  timeouts: RequestTimeouts;
  admission: Admission;
  logger: Logger;
}

/** Why a call never began, and the code that its socket closes with. */
interface CallRefusal {
  readonly error: ConnectError;
  readonly closeCode: number;
}

/** Runs the one call that a socket carries. */
export class SocketCall {
  readonly #ws: WebSocket;
  readonly #handler: UniversalHandler;
  readonly #options: SocketCallOptions;
  /**
   * The request that opened the socket. Released when the call begins: a quiet call may last for hours, and no longer
   * needs it.
   */
  #upgrade: IncomingMessage | undefined;
  readonly #abort = new AbortController();
  readonly #body: PushedBody;
  readonly #holds: SocketHolds;
  /** The part of the call that is expected next. Further bytes of a refused call are ignored. */
  #phase: "header" | "body" | "half-closed" | "refused" | "done" = "header";
  readonly #openedAtMs = performance.now();
  /** Time when the header block arrived. The call's clocks run from there, also while it waits to be admitted. */
  #begunAtMs = this.#openedAtMs;
  /** Whether the answer to a unary call is complete, and only waits for its reader. */
  #isAnswered = false;
  /** Bytes of the answer that are ready and wait for the socket. */
  #unsentBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The call's place in the admission, once it has entered. */
  #arrival: Arrival | undefined;
  /** Timer from the call's failure to the end of its socket. */
  #graceTimer: NodeJS.Timeout | undefined;

  /** @param upgrade The request that opened the socket. */
  constructor(ws: WebSocket, upgrade: IncomingMessage, handler: UniversalHandler, options: SocketCallOptions) {
    this.#ws = ws;
    this.#upgrade = upgrade;
    this.#handler = handler;
    this.#options = options;
    this.#holds = new SocketHolds(ws);
    this.#body = new PushedBody({ pause: () => this.#holds.add("body"), resume: () => this.#holds.release("body") });
    const { maxHeaderBytes, headerTimeoutMs } = options;

    this.#timer = setTimeout(() => {
      this.#refuse(new ConnectError("no header block arrived in time", Code.DeadlineExceeded));
    }, headerTimeoutMs);
    // ws reports a frame only when it is complete. So a chunk after which nothing was reported ends within a frame.
    let isWithinFrame = false;
    for (const event of ["message", "ping", "pong"]) {
      ws.on(event, () => {
        isWithinFrame = false;
      });
    }
    ws.on("message", (data, isBinary) => this.#take(isBinary ? (data as Buffer) : undefined));
    // When ws itself refuses something, such as a frame over its limit, it closes the socket with a matching code.
    ws.on("error", (error) => {
      const isTooLarge = "code" in error && error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";
      const failure = new ConnectError(error.message, isTooLarge ? Code.ResourceExhausted : Code.InvalidArgument);
      if (this.#phase === "header") this.#refuse(failure);
      else if (this.#phase === "body") this.#breakOff(failure);
      else this.#end(failure);
    });
    ws.on("close", () => this.#end(new ConnectError("the client has gone", Code.Canceled)));

    // The caller is not known before the header block, so its bytes are counted as they arrive. Otherwise anyone could
    // send a frame as large as the largest message.
    let arrived = 0;
    let arrivedAfterEnd = 0;
    const count = (chunk: Buffer) => {
      if (this.#phase === "header") {
        arrived += chunk.byteLength;
        if (arrived > maxHeaderBytes) this.#refuse(headerTooLarge(maxHeaderBytes));
      } else if (this.#phase === "done" || this.#phase === "refused") {
        // Do not close at once, which could cost the client the answer. The rest stays on the network, and the close's
        // own time limit ends it.
        arrivedAfterEnd += chunk.byteLength;
        if (arrivedAfterEnd > MAX_BYTES_AFTER_END) this.#holds.add("end");
      }
      if (this.#phase === "body" && isWithinFrame) this.#boundFrame();
      isWithinFrame = true;
      this.#holds.boundTurn(chunk);
    };
    upgrade.socket.on("data", count);
  }

  /** Closes a socket without a call when the server stops. A call that has begun may finish. */
  goAway(): void {
    if (this.#phase !== "header") return;
    this.#refuse(new ConnectError("server is shutting down", Code.Unavailable), GOING_AWAY);
  }

  #take(frame: Buffer | undefined): void {
    const tag = frame?.[0];
    if (this.#phase === "done" || this.#phase === "refused") return;
    if (!frame) this.#breach("text frames carry nothing");
    else if (this.#phase === "header") this.#begin(frame);
    else if (this.#phase === "half-closed") this.#breach("a frame after the end");
    else if (tag === BODY) {
      // A chunk costs more than its bytes, and a frame with only the tag has none.
      if (frame.byteLength > 1) this.#body.push(frame.subarray(1));
      this.#boundUpload();
    } else if (tag === HALF_CLOSE && frame.byteLength === 1) {
      this.#phase = "half-closed";
      this.#clearTimer();
      this.#body.end();
    } else this.#breach("unknown frame");
  }

  #begin(block: Buffer): void {
    this.#clearTimer();
    const { maxHeaderBytes } = this.#options;
    try {
      if (block.byteLength > maxHeaderBytes) throw headerTooLarge(maxHeaderBytes);
      const header = parseHeaderBlock(block, this.#upgrade?.headers ?? {});
      this.#phase = "body";
      // Read no more until the gate has let the call in. From then on read whether or not the handler asks for more,
      // since an unread socket does not show that its client has gone.
      this.#holds.add("gate");
      this.#boundUpload();
      this.#enter(header);
    } catch (error) {
      this.#refuse(ConnectError.from(error));
    }
  }

  /** Serves the call as soon as it is admitted. */
  #enter(header: Headers): void {
    this.#begunAtMs = performance.now();
    this.#arrival = {
      connection: this.#ws,
      isStream: this.#isStream,
      timeoutMs: () => parseTimeout(header.get("grpc-timeout"), Number.POSITIVE_INFINITY).timeoutMs,
      isGone: () => this.#phase === "done" || this.#phase === "refused",
      isAnswered: () => this.#isAnswered,
      progress: () => (this.#isAnswered ? "answered" : this.#phase === "body" ? "receiving" : "working"),
      start: () => void this.#serve(header),
      refuse: (reason) => this.#refuse(refusalErrors[reason]),
      evict: () => this.#breakOff(refusalErrors.overloaded),
    };
    this.#options.admission.enter(this.#arrival);
  }

  get #isStream(): boolean {
    return this.#handler.method.methodKind !== "unary";
  }

  #leave(): void {
    if (this.#arrival) this.#options.admission.leave(this.#arrival);
  }

  async #serve(header: Headers, refusal?: CallRefusal): Promise<void> {
    const requestId = requestIdFrom(header.get("x-request-id") ?? undefined);
    try {
      const response = await this.#handler(this.#takeRequest(header, requestId, refusal?.error));
      this.#isAnswered = !this.#isStream;
      const { stallTimeoutMs } = this.#options.timeouts;
      const onUnsent = (bytes: number) => {
        this.#unsentBytes = bytes;
      };
      await sendResponse(this.#ws, response, { requestId, stallTimeoutMs, onUnsent });
      this.#finish(refusal?.closeCode);
    } catch (error) {
      if (this.#phase === "done" || this.#ws.readyState !== this.#ws.OPEN) return;
      this.#options.logger.error({ requestId, err: error }, "call over WebSocket failed");
      const status = { "grpc-status": String(Code.Internal), "grpc-message": "internal%20server%20error" };
      this.#ws.send(formatHeaderFrame(new Headers({ ...status, "x-request-id": requestId })), () => {});
      this.#finish(INTERNAL_ERROR);
    }
  }

  /** Builds the call's request. Nothing else is kept of the request that opened the socket. */
  #takeRequest(header: Headers, requestId: string, refusal?: ConnectError): Parameters<UniversalHandler>[0] {
    const upgrade = this.#upgrade;
    if (!upgrade) throw new Error("a socket carries one call");
    this.#upgrade = undefined;
    countWebSocket(
      upgrade,
      () => this.#body.waitingBytes,
      () => this.#unsentBytes,
    );
    const onAdmitted = () => {
      this.#holds.release("gate");
      contextValues.get(callKey)?.onFailure(() => this.#hurry());
    };
    const contextValues = requestContextValues({
      requestId,
      peer: peerOf(upgrade),
      ...connectionHooks(upgrade),
      onAdmitted,
      startedAtMs: refusal ? this.#openedAtMs : this.#begunAtMs,
      refusal,
    });
    return {
      // This protocol is full duplex, which HTTP/1.1 is not.
      httpVersion: "2.0",
      method: "POST",
      url: new URL(this.#handler.requestPath, `http://${upgrade.headers.host}`).href,
      header,
      body: this.#body,
      signal: this.#abort.signal,
      contextValues,
    };
  }

  /** Ends a failed call even if its client does not read. */
  #hurry(): void {
    if (this.#phase === "done") return;
    // Further bytes are of no use, and a client that does not read may go on sending.
    this.#holds.add("end");
    this.#graceTimer = setTimeout(() => this.#ws.terminate(), SEND_GRACE_MS);
  }

  /** Answers a call that never began, through the chain of all calls, so that it is logged as one. */
  #refuse(error: ConnectError, closeCode = POLICY_VIOLATION): void {
    this.#phase = "refused";
    this.#clearTimer();
    this.#body.end();
    void this.#serve(new Headers({ "content-type": "application/grpc-web+proto" }), { error, closeCode });
  }

  /** Handles a breach of the protocol: an incomplete request fails, and a call whose request is complete ends. */
  #breach(message: string): void {
    const error = new ConnectError(`protocol error: ${message}`, Code.InvalidArgument);
    if (this.#phase === "header") this.#refuse(error);
    else if (this.#phase === "body") this.#breakOff(error);
    else this.#abort.abort(error);
  }

  /** Stops taking the request; its reader gets the error. */
  #breakOff(error: ConnectError): void {
    this.#phase = "half-closed";
    this.#clearTimer();
    this.#body.end(error);
  }

  /**
   * Bounds how long the client may take: for a whole request with one message, or between two parts of an upload. A
   * conversation may be quiet.
   */
  #boundUpload(): void {
    const { timeouts } = this.#options;
    const kind = this.#handler.method.methodKind;
    const isUpload = kind === "client_streaming";
    if (kind === "bidi_streaming") this.#clearTimer();
    else if (!this.#timer) this.#startTimer(isUpload ? timeouts.stallTimeoutMs : timeouts.bodyTimeoutMs);
    else if (isUpload) this.#timer.refresh();
  }

  /** Bounds how long the client may take for a frame that it has begun, also where it may be quiet between frames. */
  #boundFrame(): void {
    if (!this.#timer) this.#startTimer(this.#options.timeouts.stallTimeoutMs);
  }

  #startTimer(timeoutMs: number): void {
    this.#timer = setTimeout(() => {
      // The client can't send while the handler is the slow side.
      if (this.#holds.has("body") || this.#holds.has("gate")) this.#timer?.refresh();
      else this.#breakOff(new ConnectError("the request did not arrive in time", Code.DeadlineExceeded));
    }, timeoutMs);
  }

  #clearTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #finish(closeCode = NORMAL): void {
    this.#phase = "done";
    this.#leave();
    this.#clearTimer();
    clearTimeout(this.#graceTimer);
    this.#body.abandon();
    // Read again, or the client's answer to the close would not be seen.
    this.#holds.release("gate");
    this.#holds.release("end");
    this.#ws.close(closeCode);
  }

  #end(error: ConnectError): void {
    // A refused call ends by itself, and the log should show the refusal.
    const isRefused = this.#phase === "refused";
    this.#phase = "done";
    this.#leave();
    this.#clearTimer();
    clearTimeout(this.#graceTimer);
    this.#body.end(error);
    if (!isRefused) this.#abort.abort(error);
  }
}

function headerTooLarge(maxBytes: number): ConnectError {
  return new ConnectError(`header block is larger than ${maxBytes} bytes`, Code.ResourceExhausted);
}

import type { IncomingMessage } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { parseTimeout } from "@connectrpc/connect/protocol-grpc";
import { BODY, HALF_CLOSE } from "@rollcall/shared/grpc-websockets";
import type { Logger } from "pino";
import type { WebSocket } from "ws";
import type { RequestTimeouts } from "../../limits.ts";
import { tooLate } from "../../rpc/call-errors.ts";
import { requestIdFrom } from "../../runtime/request-id.ts";
import type { Admission, Arrival } from "../admission/admission.ts";
import { refusalErrors } from "../admission/admit-calls.ts";
import type { Engine } from "../engine/engine.ts";
import { GOING_AWAY, NORMAL, POLICY_VIOLATION } from "./close-codes.ts";
import { openEngineExchange } from "./engine-exchange.ts";
import type { CallSocket, Exchange, ExchangeRequest } from "./exchange.ts";
import { fieldOf, parseHeaderBlock } from "./header.ts";
import { SocketHolds } from "./holds.ts";
import { type AwaitedCall, RequestClock } from "./request-clock.ts";
import { StockExchange } from "./stock-exchange.ts";

/**
 * Time for sent bytes to reach the client after a call has failed, such as by its deadline or an expired token. In
 * milliseconds.
 */
const SEND_GRACE_MS = 5_000;
/** Bytes that a client may still send while its socket closes. After that the socket is not read any more. */
const MAX_BYTES_AFTER_END = 64 * 1_024;
/** Headers of a call that never began. */
const NO_FIELDS: readonly string[] = ["content-type", "application/grpc-web+proto"];

/** Limits and objects that all sockets share. */
export interface SocketCallOptions {
  /** Largest header block, in bytes. */
  maxHeaderBytes: number;
  /** Time for the header block to arrive, in milliseconds. */
  headerTimeoutMs: number;
  timeouts: RequestTimeouts;
  admission: Admission;
  /** Carries calls; undefined where Connect's own carrier does. */
  engine: Engine | undefined;
  logger: Logger;
}

/** Runs the only call of a socket: reads its frames, bounds its time, and closes the socket afterwards. */
export class SocketCall implements CallSocket, AwaitedCall, Arrival {
  readonly ws: WebSocket;
  readonly holds: SocketHolds;
  readonly #handler: UniversalHandler;
  readonly #options: SocketCallOptions;
  /**
   * Request that opened the socket. It is released when the call begins, since a quiet call may last for hours and no
   * longer needs it.
   */
  #upgrade: IncomingMessage | undefined;
  /** Part of the call that is expected next. Further bytes of a refused call are ignored. */
  #phase: "header" | "body" | "half-closed" | "refused" | "done" = "header";
  #exchange: Exchange | undefined;
  /** Client's deadline, in milliseconds. */
  #timeoutMs: number | undefined;
  readonly #openedAtMs = performance.now();
  #closeCode = NORMAL;
  /** Fault that has ended the request, if any. */
  #failure: ConnectError | undefined;
  /** Number of bytes of the header block and, later, of those after the call's end. */
  #countedBytes = 0;
  /** Whether a chunk has arrived since the last whole frame. */
  #isWithinFrame = false;
  readonly #clock: RequestClock;
  /** Timer from the call's failure to the end of its socket. */
  #graceTimer: NodeJS.Timeout | undefined;

  /** @param upgrade Request that opened the socket. */
  constructor(ws: WebSocket, upgrade: IncomingMessage, handler: UniversalHandler, options: SocketCallOptions) {
    this.ws = ws;
    this.#upgrade = upgrade;
    this.#handler = handler;
    this.#options = options;
    this.holds = new SocketHolds(ws);
    this.#clock = new RequestClock(this, options.timeouts, options.headerTimeoutMs);
    upgrade.socket.on("data", (chunk: Buffer) => this.#count(chunk));
  }

  /** Takes a whole frame; undefined stands for a text frame. */
  take(frame: Buffer | undefined): void {
    this.#isWithinFrame = false;
    const tag = frame?.[0];
    if (this.#phase === "done" || this.#phase === "refused") return;
    if (!frame) this.#breach("text frames carry nothing");
    else if (this.#phase === "header") this.#begin(frame);
    else if (this.#phase === "half-closed") this.#breach("a frame after the end");
    else if (tag === BODY) {
      // A chunk costs more than its bytes, and a frame with only the tag has none, so skip it.
      if (frame.byteLength > 1) this.#exchange?.push(frame.subarray(1));
      this.#clock.boundUpload(this.#handler.method.methodKind, this.#exchange?.boundsUploads ?? false);
    } else if (tag === HALF_CLOSE && frame.byteLength === 1) {
      this.#phase = "half-closed";
      this.#clock.stop();
      this.#exchange?.end();
    } else this.#breach("unknown frame");
  }

  /** Notes a complete ping or pong; ws reports a frame only once it is complete. */
  noteControlFrame(): void {
    this.#isWithinFrame = false;
  }

  /**
   * Ends the call when ws itself refuses something, such as a frame over its limit. ws closes the socket with a
   * matching code.
   */
  fail(error: Error): void {
    const isTooLarge = "code" in error && error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";
    const failure = new ConnectError(error.message, isTooLarge ? Code.ResourceExhausted : Code.InvalidArgument);
    if (this.#phase === "header") this.#refuse(failure);
    else if (this.#phase === "body") this.#breakOff(failure);
    else if (this.#phase === "half-closed") this.#exchange?.abort(failure);
  }

  /** Notes that the socket has gone. */
  close(): void {
    this.#phase = "done";
    this.#release();
    this.#exchange?.close(this.#failure);
  }

  /** Closes a socket without a call when the server stops. A call that has begun may finish. */
  goAway(): void {
    if (this.#phase !== "header") return;
    this.#refuse(new ConnectError("server is shutting down", Code.Unavailable), GOING_AWAY);
  }

  failLate(): void {
    if (this.#phase === "header") {
      this.#refuse(new ConnectError("no header block arrived in time", Code.DeadlineExceeded));
    } else this.#breakOff(tooLate());
  }

  get connection(): object {
    return this.ws;
  }

  get isStream(): boolean {
    return this.#handler.method.methodKind !== "unary";
  }

  timeoutMs(): number | undefined {
    return this.#timeoutMs;
  }

  isGone(): boolean {
    return this.#phase === "done" || this.#phase === "refused";
  }

  isAnswered(): boolean {
    return this.#exchange?.isAnswered ?? false;
  }

  progress(): "receiving" | "working" | "answered" {
    if (this.isAnswered()) return "answered";
    // Before the gate has let the call in, the socket is not read, and the client is not waited for.
    return this.#phase === "body" && !this.holds.has("gate") ? "receiving" : "working";
  }

  start(): void {
    this.#upgrade = undefined;
    this.#exchange?.start();
  }

  refuse(reason: "overloaded" | "expired"): void {
    this.#refuse(refusalErrors[reason]);
  }

  evict(): void {
    this.#breakOff(refusalErrors.overloaded);
  }

  hurry(): void {
    if (this.#phase === "done" || this.#graceTimer) return;
    // Further bytes are useless, and a client that does not read may go on sending.
    this.holds.add("end");
    this.#graceTimer = setTimeout(terminate, SEND_GRACE_MS, this.ws);
  }

  finish(closeCode = NORMAL): void {
    if (this.#phase === "done") return;
    this.#phase = "done";
    this.#release();
    this.#exchange?.abandon();
    // Resume reading: otherwise the client's answer to the close would not be seen.
    this.holds.release("gate");
    this.holds.release("end");
    this.ws.close(closeCode === NORMAL ? this.#closeCode : closeCode);
  }

  /**
   * Counts bytes as they arrive. Before the header block the caller is unknown: without a bound anyone could send a
   * frame as large as the largest message.
   */
  #count(chunk: Buffer): void {
    if (this.#phase === "header") {
      const { maxHeaderBytes } = this.#options;
      this.#countedBytes += chunk.byteLength;
      if (this.#countedBytes > maxHeaderBytes) this.#refuse(headerTooLarge(maxHeaderBytes));
    } else if (this.#phase === "done" || this.#phase === "refused") {
      // Do not close immediately, since the client could then lose the answer. Stop reading instead; the close's own
      // time limit ends the socket.
      this.#countedBytes += chunk.byteLength;
      if (this.#countedBytes > MAX_BYTES_AFTER_END) this.holds.add("end");
    }
    // If no frame was reported after the last chunk, that chunk ended within a frame.
    if (this.#phase === "body" && this.#isWithinFrame) this.#clock.boundFrame();
    this.#isWithinFrame = true;
    this.holds.boundTurn(chunk);
  }

  #begin(block: Buffer): void {
    this.#clock.stop();
    this.#countedBytes = 0;
    const { maxHeaderBytes, admission } = this.#options;
    try {
      if (block.byteLength > maxHeaderBytes) throw headerTooLarge(maxHeaderBytes);
      const fields = parseHeaderBlock(block, this.#upgrade?.headers ?? {});
      this.#phase = "body";
      // Stop reading until the gate has let the call in. After that, read even if the handler does not ask for more,
      // since an unread socket does not show that its client has gone.
      this.holds.add("gate");
      this.#timeoutMs = parseTimeout(fieldOf(fields, "grpc-timeout") ?? null, Number.POSITIVE_INFINITY).timeoutMs;
      // The call's clocks run from now, even while it waits to be admitted.
      this.#open(fields, performance.now());
      this.#clock.boundUpload(this.#handler.method.methodKind, this.#exchange?.boundsUploads ?? false);
      admission.enter(this);
    } catch (error) {
      this.#refuse(ConnectError.from(error));
    }
  }

  /** Creates the call. */
  #open(fields: readonly string[], startedAtMs: number, refusal?: ConnectError): void {
    const upgrade = this.#upgrade;
    if (!upgrade) throw new Error("a socket carries one call");
    const { timeouts, engine, logger } = this.#options;
    const requestId = requestIdFrom(fieldOf(fields, "x-request-id"));
    const request: ExchangeRequest = { upgrade, fields, requestId, startedAtMs, refusal };
    const { stallTimeoutMs } = timeouts;
    const path = this.#handler.requestPath;
    this.#exchange =
      (engine && openEngineExchange(this, request, { engine, path, stallTimeoutMs })) ??
      new StockExchange(this, request, { handler: this.#handler, stallTimeoutMs, logger });
  }

  /**
   * Answers a call that never began. The answer goes through the same chain as all calls, so that it is logged as one.
   */
  #refuse(error: ConnectError, closeCode = POLICY_VIOLATION): void {
    if (this.#phase === "refused") return;
    this.#phase = "refused";
    this.#closeCode = closeCode;
    this.#clock.stop();
    this.#leave();
    this.#open(NO_FIELDS, this.#openedAtMs, error);
    this.#exchange?.end();
    this.start();
  }

  /** Handles a violation of the protocol. An incomplete request fails; if the request was complete, its call ends. */
  #breach(message: string): void {
    const error = new ConnectError(`protocol error: ${message}`, Code.InvalidArgument);
    if (this.#phase === "header") this.#refuse(error);
    else if (this.#phase === "body") this.#breakOff(error);
    else this.#exchange?.abort(error);
  }

  /** Stops reading the request. Its reader gets the error. */
  #breakOff(error: ConnectError): void {
    this.#phase = "half-closed";
    this.#failure = error;
    this.#clock.stop();
    this.#exchange?.end(error);
  }

  #leave(): void {
    this.#options.admission.leave(this);
  }

  #release(): void {
    this.#leave();
    this.#clock.stop();
    clearTimeout(this.#graceTimer);
  }
}

function terminate(ws: WebSocket): void {
  ws.terminate();
}

function headerTooLarge(maxBytes: number): ConnectError {
  return new ConnectError(`header block is larger than ${maxBytes} bytes`, Code.ResourceExhausted);
}

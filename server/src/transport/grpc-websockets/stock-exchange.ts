import { Code, ConnectError, type ContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { Logger } from "pino";
import { callKey } from "../../rpc/context.ts";
import { requestContextValues } from "../port/connection.ts";
import { callerOf, connectionHooks, countWebSocket } from "../port/connection-guard.ts";
import { headersOf } from "../port/raw-headers.ts";
import { PushedBody } from "./body.ts";
import { INTERNAL_ERROR } from "./close-codes.ts";
import type { CallSocket, Exchange, ExchangeRequest } from "./exchange.ts";
import { formatHeaderFrame } from "./header.ts";
import { sendResponse } from "./send.ts";

export interface StockExchangeOptions {
  handler: UniversalHandler;
  stallTimeoutMs: number;
  logger: Logger;
}

/** Call that Connect's own carrier runs. */
export class StockExchange implements Exchange {
  readonly boundsUploads = false;
  isAnswered = false;
  readonly #socket: CallSocket;
  readonly #options: StockExchangeOptions;
  /**
   * Request that the call begins with. It is then released, since a quiet call may last for hours and no longer needs
   * it.
   */
  #request: ExchangeRequest | undefined;
  readonly #abort = new AbortController();
  readonly #body: PushedBody;
  #values: ContextValues | undefined;
  /** Bytes of the answer that are ready, and wait for the socket. */
  #unsentBytes = 0;
  #isOver = false;

  constructor(socket: CallSocket, request: ExchangeRequest, options: StockExchangeOptions) {
    const { holds } = socket;
    this.#socket = socket;
    this.#options = options;
    this.#request = request;
    this.#body = new PushedBody({ pause: () => holds.add("body"), resume: () => holds.release("body") });
  }

  start(): void {
    const request = this.#request;
    this.#request = undefined;
    if (request) void this.#serve(this.#open(request), request.requestId);
  }

  push(bytes: Buffer): void {
    this.#body.push(bytes);
  }

  end(error?: ConnectError): void {
    const { ws } = this.#socket;
    // A closing socket can't send an answer any more. Without this, an answer that is being written would end the call
    // as canceled.
    if (error && ws.readyState !== ws.OPEN) this.#values?.get(callKey)?.abort(error);
    this.#body.end(error);
  }

  abort(error: ConnectError): void {
    this.#body.end(error);
    this.#abort.abort(error);
  }

  close(failure?: ConnectError): void {
    this.#isOver = true;
    if (failure) this.#values?.get(callKey)?.abort(failure);
    this.abort(new ConnectError("the client has gone", Code.Canceled));
  }

  abandon(): void {
    this.#isOver = true;
    this.#body.abandon();
  }

  async #serve(request: Parameters<UniversalHandler>[0], requestId: string): Promise<void> {
    const { handler, stallTimeoutMs, logger } = this.#options;
    const { ws } = this.#socket;
    try {
      const response = await handler(request);
      this.isAnswered = handler.method.methodKind === "unary";
      const onUnsent = (bytes: number) => {
        this.#unsentBytes = bytes;
      };
      await sendResponse(ws, response, { requestId, stallTimeoutMs, onUnsent });
      this.#socket.finish();
    } catch (error) {
      if (this.#isOver || ws.readyState !== ws.OPEN) return;
      logger.error({ requestId, err: error }, "call over WebSocket failed");
      const status = ["grpc-status", String(Code.Internal), "grpc-message", "internal%20server%20error"];
      ws.send(formatHeaderFrame([...status, "x-request-id", requestId]), () => {});
      this.#socket.finish(INTERNAL_ERROR);
    }
  }

  #open({ upgrade, fields, requestId, startedAtMs, refusal }: ExchangeRequest): Parameters<UniversalHandler>[0] {
    countWebSocket(upgrade, this.#body, () => this.#unsentBytes);
    const onAdmitted = () => {
      this.#socket.holds.release("gate");
      contextValues.get(callKey)?.onFailure(() => this.#socket.hurry());
    };
    const contextValues = requestContextValues({
      ...callerOf(upgrade),
      requestId,
      ...connectionHooks(upgrade),
      onAdmitted,
      startedAtMs,
      refusal,
    });
    this.#values = contextValues;
    return {
      // This protocol is full duplex, unlike HTTP/1.1.
      httpVersion: "2.0",
      method: "POST",
      url: new URL(this.#options.handler.requestPath, `http://${upgrade.headers.host}`).href,
      header: headersOf(fields),
      body: this.#body,
      signal: this.#abort.signal,
      contextValues,
    };
  }
}

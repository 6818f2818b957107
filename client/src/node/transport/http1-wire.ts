import http from "node:http";
import https from "node:https";
import { Code, ConnectError } from "@connectrpc/connect";
import { findNotSent } from "../../internal/not-sent.ts";
import type { Address } from "../http/address.ts";
import { explainAlert, HttpVersionError } from "../http/http-version-error.ts";
import { notSent } from "../http/open-socket.ts";
import { isLateRefusal, SpeaksTlsError } from "../http/tls-faults.ts";
import { broken } from "./faults.ts";
import type { Origin } from "./http1-origin.ts";
import type { CarriedCall, Wire } from "./wire.ts";

/** Code of Node's error for an answer that does not begin like HTTP/1. Its other errors of this kind are of HTTP/1. */
const NOT_HTTP1 = "HPE_INVALID_CONSTANT";
const PARSER_ERROR = /^HPE_/;

/**
 * Largest body that is sent as a string, in bytes. Node.js joins a string with the head of a request, which saves a
 * buffer and takes half of the time.
 */
const MAX_JOINED_BYTES = 4 * 1_024;

export interface ExchangeHooks {
  onConnect(): void;
  /** Returns the error of a request that is aborted for this reason before it has a connection. */
  beforeConnect(reason: unknown): ConnectError;
  /** Called when the exchange has its place no longer. */
  onEnd(): void;
}

/** Makes an exchange with an address. Resolves with the head of the answer; the rest goes to the call. */
export function exchange(
  { address, agent, opening }: Origin,
  call: CarriedCall,
  { onConnect, beforeConnect, onEnd }: ExchangeHooks,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const { verb, path, headers } = call.head;
    const { origin, location } = address;
    const send = location.protocol === "https:" ? https.request : http.request;
    let request: http.ClientRequest;
    try {
      request = send({ ...location, path, method: verb, headers, agent });
    } catch (error) {
      // For example, a header that an interceptor has set can't be sent.
      onEnd();
      throw error;
    }
    const wire = new Http1Wire(request);
    let isConnected = false;
    let hasResponded = false;
    /** Whether the end of the exchange has been reported to the call. */
    let isOver = false;
    let failure: ConnectError | undefined;
    let isOtherHttp = false;
    /** Signal of a call that waits for its connection. */
    let signal: AbortSignal | undefined;
    /** Called when the caller gives up before there is a connection. */
    const abort = () => {
      settle(beforeConnect(signal?.reason));
      request.destroy();
    };
    // Runs after the event in which most requests get a free connection.
    process.nextTick(() => {
      if (isConnected || request.destroyed) return;
      signal = call.signal;
      signal.addEventListener("abort", abort, { once: true });
      if (signal.aborted) abort();
    });
    /** Resolves when the connection is open. If it fails, its error is the best explanation. */
    let opened: Promise<void> | undefined;
    const settle = (error: ConnectError) => {
      if (isOver) return;
      isOver = true;
      failure ??= error;
      if (hasResponded && !wire.isCanceled) call.onError(failure);
      const mayBeTls = isConnected && !hasResponded && !call.isOver && (isOtherHttp || !request.socket?.bytesRead);
      if (mayBeTls) explain(address, failure).then(reject);
      else reject(failure);
    };
    const fail = (toError: () => ConnectError) => {
      // The rest of a complete answer can still be read.
      if (isOver || wire.response?.complete) return;
      // The call itself has ended the exchange, so the connection was not lost.
      if (wire.isCanceled) failure ??= new ConnectError("the call has ended", Code.Canceled);
      if (failure || isConnected || !opened) settle(failure ?? toError());
      else opened.then(toError, (reason: unknown) => ConnectError.from(reason)).then(settle);
    };
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (findNotSent(error)) failure ??= ConnectError.from(error);
      isOtherHttp = error.code === NOT_HTTP1;
      if (isOtherHttp) failure ??= otherHttp(origin, error);
      else if (PARSER_ERROR.test(error.code ?? "")) failure ??= broken(error.message);
      const isRefused = isLateRefusal(error) && !request.reusedSocket && !hasResponded;
      fail(() => (isConnected && !isRefused ? lost(address) : notSent(origin, explainAlert(error, "1.1"))));
    });
    request.on("response", (response) => {
      hasResponded = true;
      resolve();
      wire.response = response;
      response.on("error", () => fail(() => lost(address)));
      response.on("end", () => {
        if (isOver || wire.isCanceled) return;
        isOver = true;
        address.delivered();
        call.onEnd(undefined);
        // A server may answer before the request's end. If it reads no further, the request would never end.
        if (!request.writableFinished) request.destroy();
      });
      if (wire.isCanceled) return;
      call.onHead(response.statusCode ?? 0, response.headers);
      response.on("data", (bytes: Buffer) => wire.isCanceled || call.onData(bytes));
    });
    if (!call.isWhole) request.on("drain", () => wire.isCanceled || call.onDrain());
    request.once("close", () => {
      signal?.removeEventListener("abort", abort);
      onEnd();
      fail(() => lost(address));
    });
    const connected = () => {
      isConnected = true;
      address.connected();
      onConnect();
      if (request.destroyed) return;
      // Send a stream's header before its first message. A unary call's header is sent together with its body.
      if (!call.isWhole) setImmediate(() => request.headersSent || request.destroyed || request.flushHeaders());
      call.send(wire);
    };
    // Don't read the body before it can be sent, since the next address would need all of it.
    request.once("socket", (socket) => {
      opened = opening.get(socket);
      if (request.reusedSocket) connected();
      else opened?.then(connected, () => {});
    });
  });
}

/** One exchange over HTTP/1.1. */
class Http1Wire implements Wire {
  readonly #request: http.ClientRequest;
  response: http.IncomingMessage | undefined;
  isCanceled = false;

  constructor(request: http.ClientRequest) {
    this.#request = request;
  }

  write(bytes: Uint8Array): boolean {
    const request = this.#request;
    return request.destroyed || request.writableEnded || request.write(bytes);
  }

  end(bytes?: Uint8Array): void {
    const request = this.#request;
    if (request.destroyed || request.writableEnded) return;
    if (!bytes || bytes.byteLength > MAX_JOINED_BYTES || request.headersSent) request.end(bytes);
    else request.end(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1"), "latin1");
  }

  pause(): void {
    this.response?.pause();
  }

  resume(): void {
    this.response?.resume();
  }

  cancel(): void {
    this.isCanceled = true;
    this.#request.destroy();
  }
}

function otherHttp(origin: string, error: Error): ConnectError {
  const cause = new HttpVersionError("1.1", { cause: error });
  return new ConnectError(`${origin}: ${cause.message}`, Code.Unavailable, undefined, undefined, cause);
}

/**
 * Returns the error of a call whose server has answered nothing in HTTP. If a call over plaintext met a TLS server, the
 * error says that the server can't have acted on it.
 */
async function explain(address: Address, error: ConnectError): Promise<ConnectError> {
  if (findNotSent(error) || !(await address.speaksTls())) return error;
  return notSent(address.origin, new SpeaksTlsError({ cause: error }));
}

function lost(address: Address): ConnectError {
  const loss = address.lost(false);
  return new ConnectError(loss.message, Code.Unavailable, undefined, undefined, loss);
}

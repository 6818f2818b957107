import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { gatherPieces } from "../port/gather-pieces.ts";
import { dropRest } from "../port/unread-rest.ts";
import type { BodyReceiver, PieceCounter, Wire } from "./wire.ts";

/** Largest body that is sent together with its header, in bytes. */
const MAX_JOINED_BYTES = 16 * 1_024;

const wireKey = Symbol("wire");
/** Node's requests and responses store their wire under this key, so that all can share the same listeners. */
type CarriedRequest = IncomingMessage & { [wireKey]?: Http1Wire };
type CarriedResponse = ServerResponse & { [wireKey]?: Http1Wire };

/** Wire over a request and response of Node's HTTP/1.1. */
export class Http1Wire implements Wire {
  readonly #request: CarriedRequest;
  readonly #response: CarriedResponse;
  readonly #bodyTimeoutMs: number;
  readonly #counter: PieceCounter;
  #receiver: BodyReceiver | undefined;
  /** Returns the number of the body's bytes that wait to be joined. */
  #joinedBytes: (() => number) | undefined;
  /** Whether the receiver has asked for the body. */
  #isAsked = false;
  /** The body's first piece, while nobody has asked for it. */
  #first: Uint8Array | undefined;
  /** Length of the first piece, once it has arrived. */
  #firstBytes: number | undefined;
  /** Whether the body ended with its first piece, or without one. */
  #isEnded = false;
  /** Whether the rest of the request is dropped when its answer has been sent. */
  #isDropped = false;
  #isDrainWatched = false;
  #isBounded = false;

  /**
   * @param bodyTimeoutMs Time for the rest of a request that was answered before its end, in milliseconds.
   * @param counter Called with the length of each piece of the body as it arrives, in bytes.
   */
  constructor(request: IncomingMessage, response: ServerResponse, bodyTimeoutMs: number, counter: PieceCounter) {
    this.#request = request;
    this.#response = response;
    this.#bodyTimeoutMs = bodyTimeoutMs;
    this.#counter = counter;
    this.#request[wireKey] = this;
    this.#response[wireKey] = this;
    // No handling is needed: the response then closes, which reports the fault.
    response.on("error", ignore);
    // A request that has waited for its turn may already have its body.
    if (request.complete || request.readableLength > 0) this.#gather();
    else request.push = pushFirst;
  }

  /** Joins pieces as they arrive, even before the gate: bytes of an unknown client must never wait in small pieces. */
  #gather(beforeBytes?: number): void {
    this.#joinedBytes = gatherPieces(this.#request, {
      beforeBytes,
      onPiece: (...lengths) => this.#counter.onPiece(...lengths),
      isDone: () => false,
    });
  }

  get rawHeaders(): readonly string[] {
    return this.#request.rawHeaders;
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  watch(receiver: BodyReceiver): void {
    this.#receiver = receiver;
    this.#response.on("close", onClose);
  }

  receive(): void {
    this.#isAsked = true;
    const receiver = this.#receiver;
    if (!receiver || this.isClosed) return;
    const first = this.#first;
    this.#first = undefined;
    if (first) receiver.onData(first);
    if (this.#isEnded) receiver.onEnd();
    else if (this.#joinedBytes) this.#readOn();
  }

  /** Passes on the body as its pieces are gathered. */
  #readOn(): void {
    this.#request.on("end", () => this.#receiver?.onEnd());
    this.#request.on("data", (bytes: Buffer) => this.#receiver?.onData(bytes));
  }

  /**
   * Takes the first piece of the body, or its end, before it enters the request's queue. Most bodies are one piece,
   * which arrives with the header. Further pieces are gathered.
   */
  takeFirst(piece: Uint8Array | null): boolean {
    const request = this.#request;
    if (piece === null) {
      this.#isEnded = true;
      // There is nothing left that the request could report as a stream.
      endRequest(request);
      if (this.#isAsked) this.#receiver?.onEnd();
      return true;
    }
    if (this.#firstBytes === undefined) {
      this.#firstBytes = piece.byteLength;
      this.#counter.onPiece(piece.byteLength, Number.POSITIVE_INFINITY);
      if (this.#isAsked) this.#receiver?.onData(piece);
      else if (!this.#isDropped) this.#first = piece;
      return true;
    }
    request.push = Readable.prototype.push;
    if (this.#first) request.push(this.#first);
    this.#first = undefined;
    this.#gather(this.#firstBytes);
    if (this.#isAsked) this.#readOn();
    return request.push(piece);
  }

  /** Notes that the response is over, and with it the call. */
  close(): void {
    const request = this.#request;
    if (!request.complete) {
      if (request.push === pushFirst) request.push = Readable.prototype.push;
      if (this.#isDropped) dropRest(request, this.#bodyTimeoutMs);
    }
    const receiver = this.#receiver;
    this.#receiver = undefined;
    this.#first = undefined;
    receiver?.onClose();
  }

  pause(): void {
    this.#request.pause();
  }

  resume(): void {
    this.#request.resume();
  }

  ignoreRest(): void {
    this.#request.pause();
  }

  dropRest(): void {
    this.#isDropped = true;
    this.#first = undefined;
  }

  respond(status: number, headers: string[]): void {
    this.#response.writeHead(status, headers);
  }

  respondAndEnd(status: number, headers: string[]): void {
    this.#response.writeHead(status, headers);
    this.#response.end();
  }

  write(bytes: Uint8Array): boolean {
    const hasRoom = this.#response.write(bytes);
    if (!hasRoom && !this.#isDrainWatched) {
      this.#isDrainWatched = true;
      this.#response.on("drain", () => this.#receiver?.onDrain());
    }
    return hasRoom;
  }

  end(bytes: Uint8Array | undefined, trailers?: Record<string, string>): void {
    if (trailers) this.#response.addTrailers(trailers);
    // Node.js joins a header and a text into one write. The text may stand for any bytes.
    if (bytes && bytes.byteLength <= MAX_JOINED_BYTES) {
      this.#response.end(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1"), "latin1");
    } else this.#response.end(bytes);
  }

  reset(): void {
    this.#request.socket.destroy();
  }

  refuse(): void {
    this.#request.socket.destroy();
  }

  cutOff(): void {
    this.#request.socket.destroy();
  }

  cutWhenStalled(timeoutMs: number): void {
    if (this.#isBounded) return;
    this.#isBounded = true;
    const response = this.#response;
    response.setTimeout(timeoutMs, () => {
      if (response.writableLength > 0) this.cutOff();
      else response.setTimeout(timeoutMs);
    });
  }

  get queuedBytes(): number {
    const firstBytes = this.#first?.byteLength ?? 0;
    return firstBytes + this.#request.readableLength + (this.#joinedBytes?.() ?? 0) + this.#response.writableLength;
  }

  get unsentBytes(): number {
    return this.#response.writableLength;
  }

  get isClosed(): boolean {
    return this.#request.socket.destroyed;
  }
}

/**
 * Ends a request whose body has been taken before it entered the queue. Node.js does the same for a request without a
 * body (`optimizeEmptyRequests`). If this is not possible, the request ends in the usual way, some microseconds later.
 */
function endRequest(request: IncomingMessage & { _dumpAndCloseReadable?: () => void }): void {
  if (request._dumpAndCloseReadable) request._dumpAndCloseReadable();
  else {
    request.push = Readable.prototype.push;
    request.push(null);
  }
}

function ignore(): void {}

function onClose(this: CarriedResponse): void {
  this[wireKey]?.close();
}

/** Replaces the `push` by which Node.js hands over a piece of the body, or null at its end. */
function pushFirst(this: CarriedRequest, piece: Uint8Array | null): boolean {
  return this[wireKey]?.takeFirst(piece) ?? false;
}

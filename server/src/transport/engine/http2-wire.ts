import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { Readable } from "node:stream";
import { gatherPieces } from "../port/gather-pieces.ts";
import { endWhenSent } from "../port/unread-rest.ts";
import type { BodyReceiver, PieceCounter, Wire } from "./wire.ts";

const WITH_TRAILERS = Object.freeze({ waitForTrailers: true });
const END_STREAM = Object.freeze({ endStream: true });

const wireKey = Symbol("wire");
/** Node's streams store their wire under this key, so that all can share the same listeners. */
type CarriedStream = ServerHttp2Stream & { [wireKey]?: Http2Wire | undefined };

/** Wire over an HTTP/2 stream of Node's. It uses the stream's core events, without request and response objects. */
export class Http2Wire implements Wire {
  readonly rawHeaders: readonly string[];
  readonly #stream: CarriedStream;
  readonly #headers: IncomingHttpHeaders;
  readonly #counter: PieceCounter;
  #receiver: BodyReceiver | undefined;
  #trailers: Record<string, string> | undefined;
  /** Returns the number of the body's bytes that wait to be joined. */
  #joinedBytes: (() => number) | undefined;
  /** Whether the receiver has asked for the body. */
  #isAsked = false;
  /** The body's first piece, while nobody has asked for it. */
  #first: Uint8Array | undefined;
  /** Whether the body ended with its first piece, or without one. */
  #isEnded = false;
  /** Length of the first piece, once it has arrived. */
  #firstBytes: number | undefined;
  #isDrainWatched = false;
  #isBounded = false;

  /** @param counter Called with the length of each piece of the body as it arrives, in bytes. */
  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
    counter: PieceCounter,
  ) {
    this.#stream = stream;
    this.#counter = counter;
    this.#headers = headers;
    this.rawHeaders = rawHeaders;
    // No handling is needed: the stream then closes, which reports the fault.
    stream.on("error", ignore);
    this.#stream[wireKey] = this;
    if (hasArrived(stream)) return;
    if (stream.readableLength > 0) this.#gather();
    else stream.push = pushFirst;
  }

  /** Joins pieces as they arrive, even before the gate: bytes of an unknown client must never wait in small pieces. */
  #gather(beforeBytes?: number): void {
    const stream = this.#stream;
    const counter = this.#counter;
    this.#joinedBytes = gatherPieces(stream, {
      beforeBytes,
      onPiece: (...lengths) => counter.onPiece(...lengths),
      isDone: () => stream.writableEnded,
      isCrowded: () => counter.bytes.isCrowded,
    });
  }

  header(name: string): string | undefined {
    const value = this.#headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  watch(receiver: BodyReceiver): void {
    this.#receiver = receiver;
    this.#stream.on("close", onClose);
  }

  receive(): void {
    const receiver = this.#receiver;
    const stream = this.#stream;
    this.#isAsked = true;
    if (!receiver || this.isClosed) return;
    // Some clients wait for this before they send the body (RFC 9110, 10.1.1).
    if (this.#headers.expect === "100-continue" && !stream.headersSent) stream.additionalHeaders({ ":status": 100 });
    const first = this.#first;
    this.#first = undefined;
    if (first) receiver.onData(first);
    if (this.#isEnded) receiver.onEnd();
    else if (stream.push === pushFirst) stream._read(0);
    else if (hasArrived(stream)) {
      let beforeBytes = Number.POSITIVE_INFINITY;
      // Node.js returns one piece at a time.
      while (stream.readableLength > 0) {
        const bytes: Buffer | null = stream.read();
        if (!bytes) break;
        if (!this.#joinedBytes) this.#counter.onPiece(bytes.byteLength, beforeBytes);
        beforeBytes = bytes.byteLength;
        receiver.onData(bytes);
      }
      receiver.onEnd();
    } else this.#readOn();
  }

  /** Passes on the body as its pieces are gathered. */
  #readOn(): void {
    const stream = this.#stream;
    // A stream that was reset emits "end" like a complete one.
    stream.on("end", () => stream.closed || this.#receiver?.onEnd());
    stream.on("data", (bytes: Buffer) => this.#receiver?.onData(bytes));
  }

  /**
   * Takes the first piece of the body, or its end, before it enters the stream's queue. Most bodies are one piece.
   * Further pieces are gathered.
   */
  takeFirst(piece: Uint8Array | null): boolean {
    const stream = this.#stream;
    if (piece !== null && this.#firstBytes === undefined) {
      this.#firstBytes = piece.byteLength;
      this.#counter.onPiece(piece.byteLength, Number.POSITIVE_INFINITY);
      // The piece may be a small part of the bytes read from the socket. Without a copy, all of these would stay in
      // memory.
      const isCopied = !this.#isAsked || this.#counter.bytes.isCrowded;
      const bytes = isCopied && 2 * piece.byteLength < piece.buffer.byteLength ? new Uint8Array(piece) : piece;
      if (this.#isAsked) this.#receiver?.onData(bytes);
      else this.#first = bytes;
      return true;
    }
    stream.push = Readable.prototype.push;
    if (piece === null) {
      this.#isEnded = !stream.closed;
      if (this.#isEnded && this.#isAsked) this.#receiver?.onEnd();
      return stream.push(null);
    }
    if (this.#first) stream.push(this.#first);
    this.#first = undefined;
    this.#gather(this.#firstBytes);
    if (this.#isAsked) this.#readOn();
    return stream.push(piece);
  }

  /** Notes that the stream is over. It stays in memory for a while, so its references to wire and call are removed. */
  close(): void {
    this.#stream[wireKey] = undefined;
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.onClose();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  ignoreRest(): void {
    this.#stream.pause();
  }

  dropRest(): void {
    endWhenSent(this.#stream);
  }

  respond(status: number, headers: string[]): void {
    headers.unshift(":status", String(status));
    this.#stream.respond(headers as never, WITH_TRAILERS);
    this.#stream.on("wantTrailers", onWantTrailers);
  }

  respondAndEnd(status: number, headers: string[]): void {
    headers.unshift(":status", String(status));
    this.#stream.respond(headers as never, END_STREAM);
  }

  write(bytes: Uint8Array): boolean {
    const hasRoom = this.#stream.write(bytes);
    if (!hasRoom && !this.#isDrainWatched) {
      this.#isDrainWatched = true;
      this.#stream.on("drain", () => this.#receiver?.onDrain());
    }
    return hasRoom;
  }

  end(bytes: Uint8Array | undefined, trailers?: Record<string, string>): void {
    this.#trailers = trailers;
    this.#stream.end(bytes);
  }

  sendTrailers(): void {
    if (!this.#stream.closed) this.#stream.sendTrailers(this.#trailers ?? {});
  }

  reset(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  refuse(): void {
    this.#stream.close(constants.NGHTTP2_REFUSED_STREAM);
  }

  cutOff(): void {
    this.#stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  cutWhenStalled(timeoutMs: number): void {
    if (this.#isBounded) return;
    this.#isBounded = true;
    const stream = this.#stream;
    stream.on("timeout", () => {
      if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
      else stream.setTimeout(timeoutMs);
    });
    stream.setTimeout(timeoutMs);
  }

  get queuedBytes(): number {
    const firstBytes = this.#first?.byteLength ?? 0;
    return firstBytes + this.#stream.readableLength + (this.#joinedBytes?.() ?? 0) + this.#stream.writableLength;
  }

  get unsentBytes(): number {
    return this.#stream.writableLength;
  }

  get isClosed(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }
}

/**
 * Returns whether a request has arrived completely. Usually its frames come with its header, so that there is nothing
 * to wait for.
 */
function hasArrived(stream: ServerHttp2Stream): boolean {
  const { _readableState: state } = stream as ServerHttp2Stream & { _readableState: { ended: boolean } };
  return state.ended;
}

function ignore(): void {}

function onClose(this: CarriedStream): void {
  this[wireKey]?.close();
}

function onWantTrailers(this: CarriedStream): void {
  this[wireKey]?.sendTrailers();
}

/** Replaces the `push` by which Node.js hands over a piece of the body, or null at its end. */
function pushFirst(this: CarriedStream, piece: Uint8Array | null): boolean {
  return this[wireKey]?.takeFirst(piece) ?? false;
}

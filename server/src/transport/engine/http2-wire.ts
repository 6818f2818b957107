import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { gatherPieces } from "../port/gather-pieces.ts";
import { endWhenSent } from "../port/unread-rest.ts";
import type { BodyReceiver, Wire } from "./wire.ts";

const WITH_TRAILERS = Object.freeze({ waitForTrailers: true });
const END_STREAM = Object.freeze({ endStream: true });

interface PieceCounter {
  onPiece(bytes: number): void;
  readonly bytes: { readonly isCrowded: boolean };
}

/** HTTP/2 stream of Node, read by its core events without request and response objects. */
export class Http2Wire implements Wire {
  readonly rawHeaders: readonly string[];
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #counter: PieceCounter;
  #receiver: BodyReceiver | undefined;
  #trailers: Record<string, string> | undefined;
  /** Bytes of the body that wait to be joined. */
  #joinedBytes: (() => number) | undefined;
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
    // The stream then closes, which reports the fault.
    stream.on("error", ignore);
    if (hasArrived(stream)) return;
    // Gather pieces even ahead of the gate: a stranger's bytes must never wait in small pieces.
    this.#joinedBytes = gatherPieces(stream, {
      onPiece: (bytes) => counter.onPiece(bytes),
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
    this.#stream.on("close", () => receiver.onClose());
  }

  receive(): void {
    const receiver = this.#receiver;
    const stream = this.#stream;
    if (!receiver || stream.closed) return;
    if (hasArrived(stream)) {
      // Node gives one piece at a time.
      while (stream.readableLength > 0) {
        const bytes: Buffer | null = stream.read();
        if (!bytes) break;
        if (!this.#joinedBytes) this.#counter.onPiece(bytes.byteLength);
        receiver.onData(bytes);
      }
      receiver.onEnd();
      return;
    }
    // A stream that was reset ends like a complete one.
    stream.on("end", () => stream.closed || receiver.onEnd());
    stream.on("data", (bytes: Buffer) => receiver.onData(bytes));
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
    this.#stream.on("wantTrailers", this.#sendTrailers);
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

  readonly #sendTrailers = (): void => {
    if (!this.#stream.closed) this.#stream.sendTrailers(this.#trailers ?? {});
  };

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
    return this.#stream.readableLength + (this.#joinedBytes?.() ?? 0) + this.#stream.writableLength;
  }

  get unsentBytes(): number {
    return this.#stream.writableLength;
  }

  get isClosed(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }
}

/**
 * Returns whether a request has arrived in full. Its frames mostly come with its header, so there is nothing to wait
 * for.
 */
function hasArrived(stream: ServerHttp2Stream): boolean {
  const { _readableState: state } = stream as ServerHttp2Stream & { _readableState: { ended: boolean } };
  return state.ended;
}

function ignore(): void {}

import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { endWhenSent } from "../../http/unread-rest.ts";
import type { BodyReceiver, Wire } from "./wire.ts";

const WITH_TRAILERS = Object.freeze({ waitForTrailers: true });
const END_STREAM = Object.freeze({ endStream: true });

/** A stream of Node's HTTP/2, by its core events: no request and response objects are made of it. */
export class Http2Wire implements Wire {
  readonly rawHeaders: readonly string[];
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  #receiver: BodyReceiver | undefined;
  #trailers: Record<string, string> | undefined;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]) {
    this.#stream = stream;
    this.#headers = headers;
    this.rawHeaders = rawHeaders;
    // The stream closes, which says it.
    stream.on("error", ignore);
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
    // A stream that was reset ends like one that is whole.
    const end = () => stream.closed || receiver?.onEnd();
    // An empty one ends by itself.
    if (stream.readableEnded) return void end();
    stream.on("end", end);
    stream.on("data", (bytes: Buffer) => receiver?.onData(bytes));
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
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
    return this.#stream.write(bytes);
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
    const stream = this.#stream;
    stream.setTimeout(timeoutMs, () => {
      if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
    });
  }

  get queuedBytes(): number {
    return this.#stream.readableLength + this.#stream.writableLength;
  }

  get unsentBytes(): number {
    return this.#stream.writableLength;
  }

  get isClosed(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }
}

function ignore(): void {}

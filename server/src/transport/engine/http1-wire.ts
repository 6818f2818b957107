import type { IncomingMessage, ServerResponse } from "node:http";
import { dropRestWhenAnswered } from "../port/unread-rest.ts";
import type { BodyReceiver, Wire } from "./wire.ts";

/** Largest body that is sent together with its header, in bytes. */
const MAX_JOINED_BYTES = 16 * 1_024;

/** Request and response of Node's HTTP/1.1. */
export class Http1Wire implements Wire {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #bodyTimeoutMs: number;
  #receiver: BodyReceiver | undefined;
  #isDrainWatched = false;
  #isBounded = false;

  /** @param bodyTimeoutMs Time for the rest of a request that was answered before its end, in milliseconds. */
  constructor(request: IncomingMessage, response: ServerResponse, bodyTimeoutMs: number) {
    this.#request = request;
    this.#response = response;
    this.#bodyTimeoutMs = bodyTimeoutMs;
    // The response then closes, which reports the fault.
    response.on("error", ignore);
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
    this.#response.on("close", () => receiver.onClose());
  }

  receive(): void {
    const receiver = this.#receiver;
    const request = this.#request;
    request.on("end", () => receiver?.onEnd());
    request.on("data", (bytes: Buffer) => receiver?.onData(bytes));
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
    dropRestWhenAnswered(this.#request, this.#response, this.#bodyTimeoutMs);
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
    // Node joins the header and a text into one write, whatever the text's bytes mean.
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
    return this.#request.readableLength + this.#response.writableLength;
  }

  get unsentBytes(): number {
    return this.#response.writableLength;
  }

  get isClosed(): boolean {
    return this.#request.socket.destroyed;
  }
}

function ignore(): void {}

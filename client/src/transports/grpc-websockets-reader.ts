import { Code, ConnectError } from "@connectrpc/connect";
import { costOf } from "@rollcall/shared/cost-of";
import { HEADER_FRAME, PREFIX_BYTES } from "@rollcall/shared/grpc-websockets";
import { RequestNotSentError } from "../internal/not-sent.ts";

/** Largest header frame, in bytes: more than any server sends. */
const MAX_HEADER_BYTES = 64 * 1024;

/** Close codes (RFC 6455, 7.4.1). */
const NORMAL = 1000;
const TOO_LARGE = 1009;

/** Reads the bytes that a socket receives as the single stream that the protocol defines. */
export class SocketReader {
  readonly #socket: WebSocket;
  readonly #maxQueuedBytes: number;
  readonly #opened = Promise.withResolvers<void>();
  #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  #ended = false;
  #error: unknown;
  #wake: () => void = () => {};

  constructor(socket: WebSocket, maxQueuedBytes: number) {
    this.#socket = socket;
    this.#maxQueuedBytes = maxQueuedBytes;
    let isOpen = false;
    socket.addEventListener("open", () => {
      isOpen = true;
      this.#opened.resolve();
    });
    socket.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer) this.#push(new Uint8Array(data));
      else this.#refuse(new ConnectError("protocol error: the answer has a frame of text", Code.Internal));
    });
    // In Node.js 22, no close event follows if there was no connection.
    socket.addEventListener("error", () => isOpen || this.fail(notReached()));
    socket.addEventListener("close", ({ code }) => {
      if (code === NORMAL) this.#end();
      else this.fail(isOpen ? lossOf(code) : notReached());
    });
  }

  /** Resolves when the socket is open. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Ends the answer with an error. Bytes that arrived before it can still be read. Only the first end counts. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#error = error;
    this.#opened.reject(error);
    this.#end();
  }

  /** Resolves with the answer's headers. Must be called before {@link body}. */
  async header(): Promise<Headers> {
    let head: Uint8Array = new Uint8Array();
    let size = PREFIX_BYTES;
    while (head.byteLength < size) {
      const chunk = await this.#next();
      if (!chunk) throw new ConnectError("the server closed the connection without an answer", Code.Unavailable);
      head = concat(head, chunk);
      if (head.byteLength < PREFIX_BYTES) continue;
      size = PREFIX_BYTES + new DataView(head.buffer, head.byteOffset).getUint32(1);
      if (head[0] !== HEADER_FRAME || size > MAX_HEADER_BYTES) {
        throw new ConnectError("protocol error: the answer does not start with its headers", Code.Internal);
      }
    }
    if (head.byteLength > size) this.#putBack(head.subarray(size));
    return parseHeaders(head.subarray(PREFIX_BYTES, size));
  }

  /** Yields the bytes after the headers. */
  async *body(): AsyncIterable<Uint8Array> {
    try {
      for (let chunk = await this.#next(); chunk; chunk = await this.#next()) yield chunk;
    } finally {
      this.#socket.close();
    }
  }

  #push(chunk: Uint8Array): void {
    if (this.#ended) return;
    this.#chunks.push(chunk);
    this.#queuedBytes += costOf(chunk);
    if (this.#queuedBytes > this.#maxQueuedBytes) {
      const text = `more than ${this.#maxQueuedBytes} bytes wait to be read`;
      this.#refuse(new ConnectError(text, Code.ResourceExhausted));
    }
    this.#wake();
  }

  #refuse(error: ConnectError): void {
    this.fail(error);
    this.#socket.close();
  }

  #putBack(chunk: Uint8Array): void {
    this.#chunks.unshift(chunk);
    this.#queuedBytes += costOf(chunk);
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** @throws the error that the answer failed with. */
  async #next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk) {
        this.#queuedBytes -= costOf(chunk);
        return chunk;
      }
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** Creates the error of a socket that was not opened. A browser does not report the reason. */
function notReached(): ConnectError {
  return toNotSent(
    "the server can't be reached by WebSocket: it is away, does not allow this page's origin, or is behind a proxy that passes none on",
  );
}

export function notOpened(timeoutMs: number): ConnectError {
  return toNotSent(
    `the WebSocket did not open within ${timeoutMs / 1_000} s: something in between, such as a proxy, may not pass WebSockets on`,
  );
}

/** Creates the error of a call that was certainly not sent: its socket was never open. */
function toNotSent(message: string): ConnectError {
  const cause = new RequestNotSentError(message);
  return new ConnectError(message, Code.Unavailable, undefined, undefined, cause);
}

function lossOf(closeCode: number): ConnectError {
  return closeCode === TOO_LARGE
    ? new ConnectError("message is too large for the server", Code.ResourceExhausted)
    : new ConnectError("the connection was lost", Code.Unavailable);
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.byteLength + b.byteLength);
  both.set(a);
  both.set(b, a.byteLength);
  return both;
}

function parseHeaders(block: Uint8Array): Headers {
  const headers = new Headers();
  for (const line of new TextDecoder("latin1").decode(block).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return headers;
}

import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Body of a request of either HTTP version. It is read only as fast as its one reader asks for it.
 *
 * Node's own iterator destroys the socket of a request that is not read to its end, and with it the answer. Over HTTP/2
 * it also treats a body that was cut off by a reset as complete. This iterator leaves the rest where it is, and throws
 * `canceled` for a body whose client has gone.
 */
export class RequestBody implements AsyncIterableIterator<Uint8Array> {
  readonly #request: IncomingMessage | Http2ServerRequest;
  #isListening = false;
  #isDone = false;
  #error: ConnectError | undefined;
  #wake: (() => void) | undefined;

  constructor(request: IncomingMessage | Http2ServerRequest) {
    this.#request = request;
  }

  /** Whether the reader waits for the client. */
  get isAwaited(): boolean {
    return this.#wake !== undefined;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#isListening) this.#listen();
    for (;;) {
      if (this.#isDone) return { done: true, value: undefined };
      if (this.#error) {
        this.#stop();
        throw this.#error;
      }
      const chunk: Uint8Array | null = this.#request.read();
      if (chunk) return { done: false, value: chunk };
      // The end is an event, which comes after everything before it has been read.
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  /** Stops reading; the rest stays in the request. */
  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#stop();
    this.#wake?.();
    return { done: true, value: undefined };
  }

  /** Gives the reader an error in place of the bytes that have not arrived. */
  fail(error: ConnectError): void {
    this.#error ??= error;
    this.#wake?.();
  }

  #listen(): void {
    this.#isListening = true;
    if (this.#request.destroyed) this.#error = clientGone();
    this.#request.on("readable", this.#onReadable).on("end", this.#onEnd).on("close", this.#onClose);
  }

  #stop(): void {
    this.#isDone = true;
    this.#request.off("readable", this.#onReadable).off("end", this.#onEnd).off("close", this.#onClose);
  }

  readonly #onReadable = () => this.#wake?.();

  readonly #onEnd = () => {
    // HTTP/2 ends a request that was reset like a complete one.
    if ("stream" in this.#request && this.#request.stream.closed) return this.fail(clientGone());
    this.#stop();
    this.#wake?.();
  };

  readonly #onClose = () => this.fail(clientGone());
}

function clientGone(): ConnectError {
  return new ConnectError("the client has gone", Code.Canceled);
}

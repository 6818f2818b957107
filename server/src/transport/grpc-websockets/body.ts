import { costOf } from "@rollcall/shared/cost-of";

/** What may wait for the handler before the socket is no longer read, in bytes. */
const HIGH_WATER_BYTES = 1024 ** 2;

/** How the bytes of a body are held back at their source. */
export interface Flow {
  pause(): void;
  resume(): void;
}

/**
 * The body of a call whose bytes are pushed by a socket and pulled by a handler.
 * The socket is read as long as little of them waits. Has one reader.
 */
export class PushedBody implements AsyncIterable<Uint8Array> {
  readonly #flow: Flow;
  #chunks: Uint8Array[] = [];
  #waitingBytes = 0;
  #ended = false;
  #abandoned = false;
  #error: unknown;
  #wake: () => void = () => {};

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  /** What waits for the handler, in bytes. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  push(chunk: Uint8Array): void {
    if (this.#ended || this.#abandoned) return;
    this.#chunks.push(chunk);
    this.#waitingBytes += costOf(chunk);
    if (this.#waitingBytes > HIGH_WATER_BYTES) this.#flow.pause();
    this.#wake();
  }

  /** There are no more bytes; with an error, because they failed to arrive. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  /** Nobody will read on: what still arrives is dropped. */
  abandon(): void {
    this.#abandoned = true;
    this.#chunks = [];
    this.#flow.resume();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        this.#waitingBytes -= chunk ? costOf(chunk) : 0;
        if (this.#waitingBytes <= HIGH_WATER_BYTES) this.#flow.resume();
        if (chunk) yield chunk;
        else if (this.#error !== undefined) throw this.#error;
        else if (this.#ended) return;
        else await this.#more();
      }
    } finally {
      this.abandon();
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

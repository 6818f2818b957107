import { costOf } from "@rollcall/shared/cost-of";

/** Bytes that may wait for the handler before reading from the socket stops. */
const HIGH_WATER_BYTES = 1024 ** 2;

/** Controls for the source of a body's bytes. */
export interface Flow {
  pause(): void;
  resume(): void;
}

/**
 * Body of a call whose bytes a socket pushes and a handler pulls. The socket is read only while few bytes wait. Has one
 * reader.
 */
export class PushedBody implements AsyncIterable<Uint8Array> {
  readonly #flow: Flow;
  #chunks: Uint8Array[] = [];
  #waitingBytes = 0;
  #ended = false;
  #abandoned = false;
  #error: unknown;
  #wake: () => void = () => {};
  #isAwaited = false;

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  /** Bytes that wait for the handler. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Whether the handler waits for the client. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  push(chunk: Uint8Array): void {
    if (this.#ended || this.#abandoned) return;
    this.#chunks.push(chunk);
    this.#waitingBytes += costOf(chunk);
    if (this.#waitingBytes > HIGH_WATER_BYTES) this.#flow.pause();
    this.#wake();
  }

  /** Ends the body. With an error, the reader gets it after the bytes that have arrived. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  /** Drops the waiting bytes, and those that still arrive, since nobody will read them. */
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

  async #more(): Promise<void> {
    this.#isAwaited = true;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#isAwaited = false;
  }
}

/** Bytes in a buffer that doubles: however they arrive, each is copied a few times at most. */
export class GrowingBuffer {
  readonly #maxBytes: number;
  #buffer: Uint8Array;
  #length: number;

  /** @param maxBytes Beyond which nothing more is expected: for it there is no room in advance. */
  constructor(maxBytes: number, start: Uint8Array = new Uint8Array()) {
    this.#maxBytes = maxBytes;
    this.#buffer = start;
    this.#length = start.byteLength;
  }

  /** What the buffer takes up, in bytes. */
  get capacity(): number {
    return this.#buffer.byteLength;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  append(bytes: Uint8Array): void {
    const length = this.#length + bytes.byteLength;
    if (length > this.#buffer.byteLength) {
      const larger = new Uint8Array(Math.max(length, Math.min(this.#buffer.byteLength * 2, this.#maxBytes)));
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
  }
}

/** Bytes in a buffer that doubles when it is full, so that each byte is copied a few times at most. */
export class GrowingBuffer {
  readonly #maxBytes: number;
  #buffer: Uint8Array;
  #length: number;

  /**
   * @param maxBytes Largest expected length. The buffer does not grow beyond it in advance. Default: 0.
   * @param start Memory to begin with, of which `length` bytes are in use. Default: all of it.
   */
  constructor(maxBytes = 0, start: Uint8Array = new Uint8Array(), length = start.byteLength) {
    this.#maxBytes = maxBytes;
    this.#buffer = start;
    this.#length = length;
  }

  /** Bytes of memory that the buffer takes. */
  get capacity(): number {
    return this.#buffer.byteLength;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  /**
   * @param maxBytes Same as the constructor's, once more is known.
   * @param minBytes Room that is made together, up to `maxBytes`, if there is too little.
   */
  append(bytes: Uint8Array, maxBytes = this.#maxBytes, minBytes = 0): void {
    const length = this.#length + bytes.byteLength;
    if (length > this.#buffer.byteLength) {
      const size = Math.max(length, Math.min(Math.max(this.#buffer.byteLength * 2, minBytes), maxBytes));
      // The memory need not be zeroed: it is overwritten before anybody reads it.
      const larger = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
  }
}

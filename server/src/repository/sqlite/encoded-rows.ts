import type { ByteTarget } from "../user-repository.ts";

/** Memory for encodings, enough for 70,000 users of the usual size. Its pages take no memory until they are written. */
const MAX_BYTES = 8 * 1_024 ** 2;
const MAX_ROWS = MAX_BYTES / 64;
/** Largest encoding that is kept. A few large users must not displace thousands of others. */
const MAX_ROW_BYTES = 4 * 1_024;

/**
 * Encodings of users by their rowid, in one buffer that the garbage collector does not have to scan. Users that are
 * read together are stored together, so a page is usually one copy. When the buffer is full, it starts anew.
 */
export class EncodedRows {
  #bytes: Buffer | undefined;
  /** Start of each encoding in the buffer, followed by the end of the last one. */
  readonly #starts = new Uint32Array(MAX_ROWS + 1);
  /** Numbers of the encodings, in the order they were added. */
  readonly #slots = new Map<number, number>();
  #count = 0;
  #isFull = false;

  /** Returns the number of the row's encoding. It is valid until the next {@link makeRoom} or {@link clear}. */
  slotOf(row: number): number | undefined {
    return this.#slots.get(row);
  }

  /** Keeps an encoding if there is room for it. */
  add(row: number, encoding: Uint8Array): void {
    if (encoding.byteLength > MAX_ROW_BYTES) return;
    this.#bytes ??= Buffer.allocUnsafeSlow(MAX_BYTES);
    const start = this.#starts[this.#count] ?? 0;
    if (this.#count === MAX_ROWS || start + encoding.byteLength > MAX_BYTES) {
      this.#isFull = true;
      return;
    }
    this.#bytes.set(encoding, start);
    this.#slots.set(row, this.#count);
    this.#count += 1;
    this.#starts[this.#count] = start + encoding.byteLength;
  }

  /** Appends the encodings with these numbers to `target`. */
  copy(slots: readonly number[], target: ByteTarget): void {
    for (let first = 0; first < slots.length; ) {
      let next = first + 1;
      while (next < slots.length && slots[next] === (slots[next - 1] ?? 0) + 1) next += 1;
      const start = this.#starts[slots[first] ?? 0];
      const end = this.#starts[(slots[next - 1] ?? 0) + 1];
      if (this.#bytes) target.append(this.#bytes.subarray(start, end));
      first = next;
    }
  }

  forget(row: number): void {
    this.#slots.delete(row);
  }

  /** Starts anew if an encoding has not found room. */
  makeRoom(): void {
    if (this.#isFull) this.clear();
  }

  clear(): void {
    this.#slots.clear();
    this.#count = 0;
    this.#isFull = false;
  }
}

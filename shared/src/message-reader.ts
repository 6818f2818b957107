import { ENVELOPE_HEADER_BYTES, sizeInEnvelope } from "./envelope.ts";
import { GrowingBuffer } from "./growing-buffer.ts";
import { giveUpBuffer, LENT_BUFFER_BYTES, lendBuffer, returnBuffer } from "./lent-buffers.ts";

/**
 * A message gets memory for several times the bytes that have arrived of it, up to a limit, so that one of the usual
 * sizes is copied once. Beyond the limit its memory doubles.
 */
const AHEAD_FACTOR = 8;
const MAX_AHEAD_BYTES = 128 * 1_024;

/** Size below which messages get memory of their own, since that is cheap. In bytes, including the envelope. */
const MIN_LENT_BYTES = 4 * 1_024;

/**
 * Splits a body into the messages in its envelopes, however the body is cut. The time grows with the bytes only, and no
 * object is created for a message before it is taken.
 */
export class MessageReader {
  readonly #maxBytes: number;
  readonly #hasRoom: () => boolean;
  /** Each has the whole envelopes that arrived together. */
  readonly #runs: Uint8Array[] = [];
  readonly #lendsMessages: boolean;
  /** Lent buffers: of the envelope that has begun, of the whole ones in order, and of the one that was taken last. */
  #partBuffer: Uint8Array | undefined;
  readonly #runBuffers: Uint8Array[] = [];
  #takenBuffer: Uint8Array | undefined;
  /** Start of the next envelope in the first run. */
  #start = 0;
  /** The beginning of an envelope. */
  #part: GrowingBuffer | undefined;
  #tooLargeBytes: number | undefined;
  /** Bytes of whole envelopes that have not been taken. */
  queuedBytes = 0;
  /** Flags of the message that was taken last. */
  flags = 0;

  /**
   * @param maxBytes Largest message, in bytes.
   * @param hasRoom Returns whether messages may get memory for more than the bytes that have arrived.
   * @param lendsMessages Whether a message is no longer read when the next one is taken, so that its memory can be
   * reused.
   */
  constructor(maxBytes: number, hasRoom: () => boolean = () => true, lendsMessages = false) {
    this.#maxBytes = maxBytes;
    this.#hasRoom = hasRoom;
    this.#lendsMessages = lendsMessages;
  }

  /** Memory of an incomplete message, in bytes. */
  get heldBytes(): number {
    return this.#part?.capacity ?? 0;
  }

  /** Whether the bytes so far end within an envelope. */
  get isWithin(): boolean {
    return this.#part !== undefined;
  }

  /** Size of a message that is too large. Nothing after it is read. */
  get tooLargeBytes(): number | undefined {
    return this.#tooLargeBytes;
  }

  /** @param mayWait Whether nobody is waiting for these bytes. */
  push(chunk: Uint8Array, mayWait: boolean): void {
    if (this.#tooLargeBytes !== undefined) return;
    // The waiting bytes may be the only ones in use of one read from the socket, usually 64 KiB.
    const isCopied = mayWait && 2 * chunk.byteLength < chunk.buffer.byteLength;
    // Messages may be slices of it, and slices of a Buffer differ from those of other arrays.
    const bytes = isCopied ? new Uint8Array(chunk) : new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const start = this.#part ? this.#complete(this.#part, bytes) : 0;
    let end = start;
    while (end + ENVELOPE_HEADER_BYTES <= bytes.byteLength) {
      const size = this.#sizeAt(bytes, end);
      if (size === undefined || end + size > bytes.byteLength) break;
      end += size;
    }
    if (end > start) this.#queue(start === 0 && end === bytes.byteLength ? bytes : bytes.subarray(start, end));
    if (end === bytes.byteLength || this.#tooLargeBytes !== undefined) return;
    this.#part = new GrowingBuffer(ENVELOPE_HEADER_BYTES);
    this.#complete(this.#part, bytes.subarray(end));
  }

  /** The next message, without its envelope. */
  take(): Uint8Array | undefined {
    const [run] = this.#runs;
    if (this.#takenBuffer) {
      returnBuffer(this.#takenBuffer);
      this.#takenBuffer = undefined;
    }
    if (!run) return undefined;
    const start = this.#start + ENVELOPE_HEADER_BYTES;
    const end = start + sizeInEnvelope(run, this.#start);
    this.flags = run[this.#start] ?? 0;
    this.queuedBytes -= end - this.#start;
    this.#start = end;
    if (end === run.byteLength) {
      this.#runs.shift();
      // A lent buffer holds one envelope, and forms a run of its own.
      if (run.buffer === this.#runBuffers[0]?.buffer) this.#takenBuffer = this.#runBuffers.shift();
      this.#start = 0;
    }
    return run.subarray(start, end);
  }

  /** Releases everything. */
  clear(): void {
    const buffers = this.#runBuffers.splice(0);
    for (const buffer of [...buffers, this.#partBuffer, this.#takenBuffer]) if (buffer) giveUpBuffer();
    this.#partBuffer = undefined;
    this.#takenBuffer = undefined;
    this.#runs.length = 0;
    this.#part = undefined;
    this.queuedBytes = 0;
  }

  /** Adds bytes to the envelope that has begun. @returns The start of the next envelope. */
  #complete(part: GrowingBuffer, bytes: Uint8Array): number {
    // First complete the header, which has the size of the rest.
    let used = Math.max(0, Math.min(ENVELOPE_HEADER_BYTES - part.length, bytes.byteLength));
    part.append(bytes.subarray(0, used));
    if (part.length < ENVELOPE_HEADER_BYTES) return used;
    const size = this.#sizeAt(part.bytes, 0);
    if (size === undefined) {
      this.#part = undefined;
      return bytes.byteLength;
    }
    const rest = bytes.subarray(used, used + size - part.length);
    if (part.length === ENVELOPE_HEADER_BYTES) part = this.#placeFor(part, size);
    const aheadBytes = this.#hasRoom() ? AHEAD_FACTOR * (part.length + rest.byteLength) : 0;
    part.append(rest, size, Math.min(aheadBytes, MAX_AHEAD_BYTES));
    used += rest.byteLength;
    if (part.length === size) {
      this.#part = undefined;
      this.#queue(part.bytes);
      if (this.#partBuffer) this.#runBuffers.push(this.#partBuffer);
      this.#partBuffer = undefined;
    }
    return used;
  }

  /** Moves the header of a large envelope to a lent buffer, if there is one. */
  #placeFor(header: GrowingBuffer, size: number): GrowingBuffer {
    if (!this.#lendsMessages || size < MIN_LENT_BYTES || size > LENT_BUFFER_BYTES || !this.#hasRoom()) return header;
    this.#partBuffer = lendBuffer();
    if (!this.#partBuffer) return header;
    this.#partBuffer.set(header.bytes);
    this.#part = new GrowingBuffer(size, this.#partBuffer, header.length);
    return this.#part;
  }

  /** Size of the envelope that begins there; undefined for one that is too large. */
  #sizeAt(bytes: Uint8Array, start: number): number | undefined {
    const size = sizeInEnvelope(bytes, start);
    if (size <= this.#maxBytes) return ENVELOPE_HEADER_BYTES + size;
    this.#tooLargeBytes = size;
    return undefined;
  }

  #queue(run: Uint8Array): void {
    this.#runs.push(run);
    this.queuedBytes += run.byteLength;
  }
}

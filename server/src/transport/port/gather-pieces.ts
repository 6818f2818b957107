import type { Readable } from "node:stream";

/**
 * Smaller pieces are joined at once: each costs its receivers some 300 bytes and 20 microseconds, however short it is.
 */
const SMALL_BYTES = 1_024;
/** Largest piece that is made of small ones. */
const MAX_JOINED_BYTES = 64 * 1_024;
/** Waiting pieces are joined until they have this many bytes. */
const MIN_WAITING_BYTES = 16 * 1_024;
/** A single piece is copied if it is part of a socket read larger than this, in bytes. */
const MAX_SHARED_BYTES = 16 * 1_024;

export interface GatherOptions {
  /** Called with the length of each piece as it arrives, in bytes, and with that of the piece before it. */
  onPiece(bytes: number, beforeBytes: number): void;
  /** Length of a piece that came before, in bytes. Default infinite: there was none. */
  beforeBytes?: number | undefined;
  /**
   * Returns whether nobody will read any more. Then arriving pieces are dropped, and the sender gets no further window
   * for them.
   */
  isDone(): boolean;
  /**
   * Returns whether the connection has many open bodies, so that first pieces are worth a copy. Default: it has not.
   */
  isCrowded?(): boolean;
}

/**
 * Joins the pieces that a request's body arrives in: small ones of one turn of the event loop, and at the turn's end
 * all that wait for a reader.
 *
 * - A client chooses how its body is cut. A megabyte in HTTP/2 frames or HTTP/1.1 chunks of one byte would otherwise
 *   take hundreds of megabytes.
 * - A larger piece is a view into what was read from the socket, up to 64 KiB, and would keep all of that in memory.
 * - The first piece of a turn is passed on at once, so that a request of a single piece takes no longer.
 *
 * This works below whatever reads the body: on `push`, with which Node adds what arrives, and on `read`, with which
 * every reader takes it.
 *
 * @returns Function that returns how many bytes wait ahead of the readable's own queue.
 */
export function gatherPieces(
  readable: Readable,
  { onPiece, beforeBytes = Number.POSITIVE_INFINITY, isDone, isCrowded = () => false }: GatherOptions,
): () => number {
  const push = readable.push.bind(readable);
  const read = readable.read.bind(readable);
  const waiting = new WaitingPieces();
  /** Whether a small piece of this turn has been passed on already. */
  let isHeld = false;
  let isTurnNoted = false;
  let lastBytes = beforeBytes;

  const flush = () => {
    for (const piece of waiting.take()) push(piece);
  };
  const noteTurn = () => {
    if (isTurnNoted) return;
    isTurnNoted = true;
    atEndOfTurn(endTurn);
  };
  const endTurn = () => {
    isHeld = false;
    isTurnNoted = false;
    if (readable.destroyed) return;
    if (readable.readableLength === 0) flush();
    else waiting.join();
  };

  readable.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
    if (chunk === null) {
      flush();
      return push(null);
    }
    onPiece(chunk.length, lastBytes);
    lastBytes = chunk.length;
    if (isDone()) return false;
    const isSmall = chunk.length < SMALL_BYTES;
    if (waiting.length === 0 && readable.readableLength === 0 && !(isSmall && isHeld)) {
      if (isSmall) {
        isHeld = true;
        noteTurn();
      }
      return push(isCrowded() ? withoutOthers(chunk) : chunk, encoding);
    }
    waiting.add(chunk, isSmall);
    noteTurn();
    return readable.readableLength + waiting.length < readable.readableHighWaterMark;
  };
  readable.read = (size?: number) => {
    // A reader takes everything there is at once. Reading 0 bytes only asks for more.
    if (waiting.hasLarge && size !== 0) flush();
    const taken = read(size);
    if (!isHeld && readable.readableLength === 0) flush();
    return taken;
  };
  return () => waiting.heldBytes;
}

/** Pieces in order. Small ones are joined as they come, others by `join`. */
class WaitingPieces {
  #pieces: Uint8Array[] = [];
  /** How many pieces, from the first, are large enough and own their memory. */
  #joined = 0;
  #length = 0;
  /** Room for small pieces, behind the others. */
  #room: Uint8Array = new Uint8Array(0);
  #used = 0;

  /** Bytes of all pieces. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of memory that the pieces take up. */
  get heldBytes(): number {
    return this.#length - this.#used + this.#room.length;
  }

  get hasLarge(): boolean {
    return this.#pieces.length > 0;
  }

  add(piece: Uint8Array, isSmall: boolean): void {
    this.#length += piece.length;
    if (!isSmall || this.#used + piece.length > MAX_JOINED_BYTES) this.#closeRoom();
    if (!isSmall) {
      this.#pieces.push(piece);
      return;
    }
    if (this.#used + piece.length > this.#room.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(256, Math.min(2 * (this.#used + piece.length), MAX_JOINED_BYTES)));
      larger.set(this.#room.subarray(0, this.#used));
      this.#room = larger;
    }
    this.#room.set(piece, this.#used);
    this.#used += piece.length;
  }

  /** Copies the pieces added since the last time into memory of their own. */
  join(): void {
    if (this.#pieces.length === this.#joined) return;
    this.#closeRoom();
    const pieces = this.#pieces.splice(this.#joined);
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const joined = Buffer.allocUnsafeSlow(length);
    let end = 0;
    for (const piece of pieces) {
      joined.set(piece, end);
      end += piece.length;
    }
    this.#pieces.push(joined);
    if (length >= MIN_WAITING_BYTES) this.#joined += 1;
  }

  take(): Uint8Array[] {
    this.#closeRoom();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#joined = 0;
    this.#length = 0;
    return pieces;
  }

  #closeRoom(): void {
    if (this.#used === 0) return;
    this.#pieces.push(this.#room.subarray(0, this.#used));
    this.#room = new Uint8Array(0);
    this.#used = 0;
  }
}

/** Returns the piece without the rest of what was read with it, if that is worth a copy. */
function withoutOthers(piece: Uint8Array): Uint8Array {
  const readBytes = piece.buffer.byteLength;
  if (readBytes <= MAX_SHARED_BYTES || 2 * piece.length >= readBytes) return piece;
  const copy = Buffer.allocUnsafeSlow(piece.length);
  copy.set(piece);
  return copy;
}

let atEnd: (() => void)[] = [];

function atEndOfTurn(callback: () => void): void {
  if (atEnd.push(callback) > 1) return;
  setImmediate(() => {
    const callbacks = atEnd;
    atEnd = [];
    for (const call of callbacks) call();
  });
}

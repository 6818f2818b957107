import type { Readable } from "node:stream";

/**
 * Smaller pieces are joined: each costs its receivers some 300 bytes and 20
 * microseconds, however few bytes it has.
 */
const SMALL_BYTES = 1_024;
/** Largest piece that is made of small ones. */
const MAX_JOINED_BYTES = 64 * 1_024;

export interface GatherOptions {
  /** Called with the length of each piece as it arrives, in bytes. */
  onPiece(bytes: number): void;
  /** Whether nobody will read any more: then what arrives is dropped, and its sender gets no further window for it. */
  isDone(): boolean;
}

/**
 * Joins the small pieces that a request's body arrives in: those of one turn of the
 * event loop, and those that wait for a reader. A client chooses how its body is cut;
 * in HTTP/2 frames, or HTTP/1.1 chunks, of one byte, a body of a megabyte would
 * otherwise hold hundreds of megabytes. The first piece of a turn is passed on at
 * once, so that a request of a single piece takes no longer.
 *
 * It works below whatever reads the body: on `push`, by which Node hands on what
 * arrives, and on `read`, by which every reader takes it.
 */
export function gatherPieces(readable: Readable, { onPiece, isDone }: GatherOptions): void {
  const push = readable.push.bind(readable);
  const read = readable.read.bind(readable);
  let joined = Buffer.alloc(0);
  let length = 0;
  /** Whether a piece of this turn was passed on already. */
  let isHeld = false;

  const flush = () => {
    if (length === 0) return;
    const piece = joined.subarray(0, length);
    joined = Buffer.alloc(0);
    length = 0;
    push(piece);
  };
  const endTurn = () => {
    isHeld = false;
    if (!readable.destroyed && readable.readableLength === 0) flush();
  };

  readable.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
    if (chunk === null) {
      flush();
      return push(null);
    }
    onPiece(chunk.length);
    if (isDone()) return false;
    if (chunk.length >= SMALL_BYTES || length + chunk.length > MAX_JOINED_BYTES) flush();
    if (chunk.length >= SMALL_BYTES) return push(chunk, encoding);
    if (length === 0 && !isHeld && readable.readableLength === 0) {
      isHeld = true;
      atEndOfTurn(endTurn);
      return push(chunk, encoding);
    }
    if (length + chunk.length > joined.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(256, 2 * (length + chunk.length)));
      joined.copy(larger, 0, 0, length);
      joined = larger;
    }
    joined.set(chunk, length);
    length += chunk.length;
    return readable.readableLength + length < readable.readableHighWaterMark;
  };
  readable.read = (size?: number) => {
    const taken = read(size);
    if (!isHeld && readable.readableLength === 0) flush();
    return taken;
  };
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

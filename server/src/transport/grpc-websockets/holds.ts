import type { WebSocket } from "ws";
import { isTurnOver, queueForTurn } from "../../runtime/loop-turn.ts";

/**
 * Read at once, in bytes: more than a talk has, and of frames so few that they take
 * about a millisecond.
 */
const FAST_CHUNK_BYTES = 8 * 1_024;

/**
 * Why a socket is not read: the gate has not let its call in yet, the handler is
 * slower than the client, this turn of the loop is over, or the call is.
 */
export type Hold = "gate" | "body" | "turn" | "end";

/** Reads a socket only while nothing holds it. */
export class SocketHolds {
  readonly #ws: WebSocket;
  readonly #holds = new Set<Hold>();

  constructor(ws: WebSocket) {
    this.#ws = ws;
  }

  has(reason: Hold): boolean {
    return this.#holds.has(reason);
  }

  add(reason: Hold): void {
    this.#holds.add(reason);
    this.#ws.pause();
  }

  release(reason: Hold): void {
    this.#holds.delete(reason);
    if (this.#holds.size === 0) this.#ws.resume();
  }

  /**
   * Makes what comes fast wait when the turn is over, however small its frames are, and whatever they hold: a flood of
   * pings, of empty frames or of fragments, which nobody is told of. It costs no budget, since it may be an upload.
   */
  boundTurn(chunk: Uint8Array): void {
    if (chunk.byteLength < FAST_CHUNK_BYTES || !isTurnOver() || this.#holds.has("turn")) return;
    this.add("turn");
    queueForTurn(() => this.release("turn"));
  }
}

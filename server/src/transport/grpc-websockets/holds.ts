import type { WebSocket } from "ws";
import { isTurnOver, queueForTurn } from "../../runtime/loop-turn.ts";

/**
 * Bytes that are read without checking the clock. It is more than a conversation sends, and so little that its frames
 * take about a millisecond.
 */
const FAST_CHUNK_BYTES = 8 * 1_024;

/**
 * Reason why a socket is not read: the gate has not let its call in yet ("gate"), the handler is slower than the client
 * ("body"), this turn of the loop is used up ("turn"), or the call is over ("end").
 */
export type Hold = "gate" | "body" | "turn" | "end";

/** Pauses a socket while there is any reason to. */
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
   * Pauses a fast socket when this turn's time is used up. This covers floods that emit no event, such as pings, empty
   * frames or fragments. It does not count against any limit, since it may be an honest upload.
   */
  boundTurn(chunk: Uint8Array): void {
    if (chunk.byteLength < FAST_CHUNK_BYTES || !isTurnOver() || this.#holds.has("turn")) return;
    this.add("turn");
    queueForTurn(() => this.release("turn"));
  }
}

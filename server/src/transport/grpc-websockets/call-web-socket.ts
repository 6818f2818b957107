import { WebSocket } from "ws";
import type { SocketCall } from "./call.ts";

/**
 * Number of unsent bytes above which a client's pings are not answered, so that a flood of them does not fill memory.
 */
const PONG_LIMIT_BYTES = 1024 ** 2;
const MAX_UNANSWERED_PINGS = 2;

/**
 * A WebSocket and its call. All sockets share the same listener functions: closures for each socket would cost more
 * memory than the rest of a quiet call.
 */
export class CallWebSocket extends WebSocket {
  call: SocketCall | undefined;
  #sockets: Set<CallWebSocket> | undefined;
  #latestPing: Buffer | undefined;
  /** Pings since the client's last sign of life. */
  #unansweredPings = 0;

  /** Passes frames on to the call. @param sockets Contains this socket until it closes. */
  carry(call: SocketCall, sockets: Set<CallWebSocket>): void {
    this.call = call;
    this.#sockets = sockets;
    this.on("message", this.#onMessage);
    this.on("ping", this.#onPing);
    this.on("pong", this.#onPong);
    this.on("error", this.#onError);
    this.on("close", this.#onClose);
  }

  /** Pings a client that may have gone, or ends the connection if earlier pings were not answered. */
  pingOrCut(): void {
    // On a socket that is paused because its handler is slow, answers can't be seen.
    const pings = this.isPaused ? 0 : this.#unansweredPings;
    this.#unansweredPings = pings + 1;
    if (pings < MAX_UNANSWERED_PINGS) this.ping();
    else this.terminate();
  }

  #onMessage(data: unknown, isBinary: boolean): void {
    this.#unansweredPings = 0;
    this.call?.take(isBinary ? (data as Buffer) : undefined);
  }

  /**
   * Answers a ping, or the latest of several, once in a turn of the loop (RFC 6455, 5.5.3). Answering each would cost
   * the server more than a flood costs its sender.
   */
  #onPing(data: Buffer): void {
    this.call?.noteControlFrame();
    if (this.#latestPing === undefined) setImmediate(pongLatest, this);
    this.#latestPing = data;
  }

  #onPong(): void {
    this.#unansweredPings = 0;
    this.call?.noteControlFrame();
  }

  #onError(error: Error): void {
    this.call?.fail(error);
  }

  #onClose(): void {
    this.#sockets?.delete(this);
    this.call?.close();
  }

  pongLatest(): void {
    const latest = this.#latestPing;
    this.#latestPing = undefined;
    if (this.readyState === this.OPEN && this.bufferedAmount < PONG_LIMIT_BYTES) this.pong(latest);
  }
}

function pongLatest(socket: CallWebSocket): void {
  socket.pongLatest();
}

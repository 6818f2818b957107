import { WebSocket } from "ws";
import type { SocketCall } from "./call.ts";

/** Beyond this many unsent bytes a client's pings go unanswered, so that a flood of them fills no memory. */
const PONG_LIMIT_BYTES = 1024 ** 2;
const MAX_UNANSWERED_PINGS = 2;

/**
 * A WebSocket and its call. The listeners are the same functions for all sockets, since closures of each socket's own
 * would cost more memory than the rest of a quiet call.
 */
export class CallWebSocket extends WebSocket {
  call: SocketCall | undefined;
  #sockets: Set<CallWebSocket> | undefined;
  #latestPing: Buffer | undefined;
  /** Pings since the client last gave a sign of life. */
  #unansweredPings = 0;

  /** Passes on frames to the call. @param sockets Have this socket until it closes. */
  carry(call: SocketCall, sockets: Set<CallWebSocket>): void {
    this.call = call;
    this.#sockets = sockets;
    this.on("message", this.#onMessage);
    this.on("ping", this.#onPing);
    this.on("pong", this.#onPong);
    this.on("error", this.#onError);
    this.on("close", this.#onClose);
  }

  /** Pings a client that may have gone, or ends the connection when it answers none. */
  pingOrCut(): void {
    // A socket that is paused because its handler is slow can't be seen to answer.
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
   * Answers a ping, or the latest of many, once a turn of the loop (RFC 6455, 5.5.3). Answering each would cost a
   * flood's victim more than its sender.
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

import type { ConnectError } from "@connectrpc/connect";

/** One request and its answer on the wire, whatever carries them. The engine knows nothing else of HTTP. */
export interface Wire {
  /** Returns the value of a header. `name` is in lower case. */
  header(name: string): string | undefined;
  /** All fields as they came, names and values in turn. */
  readonly rawHeaders: readonly string[];
  /** Reports to the receiver from now on. The body follows once it is asked for. */
  watch(receiver: BodyReceiver): void;
  /** Begins to read the request's body. */
  receive(): void;
  /** Stops reading the body for a while. Arriving bytes wait on the connection. */
  pause(): void;
  resume(): void;
  /** Nobody will read the rest of the body, while the answer may go on. */
  ignoreRest(): void;
  /** Discards what the request still sends, once its answer has left. */
  dropRest(): void;
  /** Begins the answer. @param headers Names and values in turn, names in lower case. */
  respond(status: number, headers: string[]): void;
  /** Sends a complete answer without a body. */
  respondAndEnd(status: number, headers: string[]): void;
  /** Returns false when the reader is slow: `onDrain` reports when there is room again. */
  write(bytes: Uint8Array): boolean;
  /** Ends the answer, with trailers if there are any. */
  end(bytes: Uint8Array | undefined, trailers?: Record<string, string>): void;
  /** Breaks off the exchange, for an answer that can't be completed. */
  reset(): void;
  /** Breaks off the exchange as one that has not been acted on, so that it may be repeated. */
  refuse(): void;
  /** Breaks off the exchange, for a client that holds too much. */
  cutOff(): void;
  /** Breaks off the exchange when its client reads nothing of the answer for this long, in milliseconds. */
  cutWhenStalled(timeoutMs: number): void;
  /** Bytes that wait in the queues of request and answer. */
  readonly queuedBytes: number;
  /** Bytes of the answer that have not left. */
  readonly unsentBytes: number;
  readonly isClosed: boolean;
}

/** Each event comes once, except `onData` and `onDrain`. */
export interface BodyReceiver {
  onData(bytes: Uint8Array): void;
  /** @param error The request was broken off: its reader gets the error behind what has arrived. */
  onEnd(error?: ConnectError): void;
  /** Called last, when the exchange is over, however it ended. */
  onClose(): void;
  onDrain(): void;
}

/** Counts what arrives of a connection's bodies. */
export interface PieceCounter {
  /**
   * Called with the length of each piece of a body as it arrives, in bytes, and with that of the piece before it, which
   * is infinite for the first.
   */
  onPiece(bytes: number, beforeBytes: number): void;
  readonly bytes: { readonly isCrowded: boolean };
}

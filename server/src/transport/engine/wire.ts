import type { ConnectError } from "@connectrpc/connect";

/** One request and its answer on the wire of any transport. The engine knows nothing else of HTTP. */
export interface Wire {
  /** Returns the value of a header. `name` is in lower case. */
  header(name: string): string | undefined;
  /** All fields as they came, names and values in turn. */
  readonly rawHeaders: readonly string[];
  /** Sets the receiver of events. The body follows once `receive` is called. */
  watch(receiver: BodyReceiver): void;
  /** Begins to read the request's body. */
  receive(): void;
  /** Pauses reading the body. Arriving bytes wait on the connection. */
  pause(): void;
  resume(): void;
  /** Called when nobody will read the rest of the body, although the answer may continue. */
  ignoreRest(): void;
  /** Discards the rest of the request once its answer has been sent. */
  dropRest(): void;
  /** Begins the answer. @param headers Names and values in turn, names in lower case. */
  respond(status: number, headers: string[]): void;
  /** Sends a complete answer without a body. */
  respondAndEnd(status: number, headers: string[]): void;
  /** Returns false when the reader is slow; `onDrain` is then called when there is room again. */
  write(bytes: Uint8Array): boolean;
  /** Ends the answer, with trailers if there are any. */
  end(bytes: Uint8Array | undefined, trailers?: Record<string, string>): void;
  /** Breaks off the exchange, for an answer that can't be completed. */
  reset(): void;
  /** Breaks off the exchange, and marks it as unprocessed, so that it may be repeated. */
  refuse(): void;
  /** Breaks off the exchange because its client holds too many bytes. */
  cutOff(): void;
  /** Breaks off the exchange when its client reads nothing of the answer for this long, in milliseconds. */
  cutWhenStalled(timeoutMs: number): void;
  /** Bytes that wait in the queues of request and answer. */
  readonly queuedBytes: number;
  /** Bytes of the answer that have not been sent. */
  readonly unsentBytes: number;
  readonly isClosed: boolean;
}

/** Receiver of a body's events. Each comes once, except `onData` and `onDrain`. */
export interface BodyReceiver {
  onData(bytes: Uint8Array): void;
  /** @param error Set if the request was broken off. The reader gets it after the bytes that have arrived. */
  onEnd(error?: ConnectError): void;
  /** Called last, when the exchange is over, however it ended. */
  onClose(): void;
  onDrain(): void;
}

/** Counts the pieces of the bodies that arrive on a connection. */
export interface PieceCounter {
  /**
   * Called with the length of each piece of a body as it arrives, in bytes, and with the length of the previous piece,
   * which is infinite for the first.
   */
  onPiece(bytes: number, beforeBytes: number): void;
  readonly bytes: { readonly isCrowded: boolean };
}

/**
 * One request and its answer on the wire, whatever carries them: all that the engine
 * knows of HTTP.
 */
export interface Wire {
  /** Value of a header, whose name is in lower case. */
  header(name: string): string | undefined;
  /** All fields as they came, names and values in turn. */
  readonly rawHeaders: readonly string[];
  /** Reports to the receiver from now on; the body comes once it is asked for. */
  watch(receiver: BodyReceiver): void;
  /** Begins to read the request's body. */
  receive(): void;
  /** Stops reading the body for a while: what arrives waits on the connection. */
  pause(): void;
  resume(): void;
  /** Lets go of what the request still sends, once its answer has left. */
  dropRest(): void;
  /** Begins the answer. @param headers Names and values in turn, names in lower case. */
  respond(status: number, headers: string[]): void;
  /** Sends a whole answer without a body. */
  respondAndEnd(status: number, headers: string[]): void;
  /** Returns false when the reader is slow: `onDrain` reports when there is room again. */
  write(bytes: Uint8Array): boolean;
  /** Ends the answer, with trailers where there are some. */
  end(bytes: Uint8Array | undefined, trailers?: Record<string, string>): void;
  /** Breaks the exchange off, for an answer that can't be completed. */
  reset(): void;
  /** Breaks the exchange off as one that nothing has been done for, so that it may be repeated. */
  refuse(): void;
  /** Breaks the exchange off, for a client that holds too much. */
  cutOff(): void;
  /** Breaks the exchange off when its client reads nothing of the answer for so long, in milliseconds. */
  cutWhenStalled(timeoutMs: number): void;
  /** What waits in queues, of request and answer together, in bytes. */
  readonly queuedBytes: number;
  /** What of the answer has not left, in bytes. */
  readonly unsentBytes: number;
  readonly isClosed: boolean;
}

/** Each event comes once, but for `onData` and `onDrain`. */
export interface BodyReceiver {
  onData(bytes: Uint8Array): void;
  onEnd(): void;
  /** The exchange is over, whichever way; the last event. */
  onClose(): void;
  onDrain(): void;
}

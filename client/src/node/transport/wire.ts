import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { ConnectError } from "@connectrpc/connect";

/** Contents of a request before its body. */
export interface RequestHead {
  readonly verb: "POST" | "GET";
  /** Path and query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: OutgoingHttpHeaders;
}

/** One HTTP exchange on any connection. A call knows nothing else of HTTP. */
export interface Wire {
  /** Returns false when the server reads slowly; `onDrain` is then called when there is room again. */
  write(bytes: Uint8Array): boolean;
  /** Ends the request's body. */
  end(bytes?: Uint8Array): void;
  /** Pauses reading the answer. Arriving bytes wait on the connection, up to its windows. */
  pause(): void;
  resume(): void;
  /** Breaks off the rest of the exchange. Its call gets no more events. */
  cancel(): void;
}

/**
 * A call, as its carrier sees it. If no server has acted on a request, it may be sent several times, over one wire
 * after the other: each time begins with `send`.
 */
export interface CarriedCall {
  readonly head: RequestHead;
  /** Whether the whole body is available from the start, so that `send` ends it immediately. */
  readonly isWhole: boolean;
  /** Whether the call has ended, and needs no answer any more. */
  readonly isOver: boolean;
  /** Whether the body can still be sent from its beginning. */
  readonly canReplay: boolean;
  /** Whether the call has a deadline, which bounds how long it waits for a connection. */
  readonly hasDeadline: boolean;
  /** Aborted, with the reason, when the call is ended before its answer. */
  readonly signal: AbortSignal;
  /** Returns the size of the known part of the body, in bytes, before it is sent. Rejects like the body's source. */
  firstBytes(): number | Promise<number>;
  /** Sends the body from its beginning. */
  send(wire: Wire): void;
  /** Called if no server has acted on the request: it will be sent again, over another wire. */
  onUnsent(): void;
  onHead(status: number, headers: IncomingHttpHeaders): void;
  onData(bytes: Buffer): void;
  /** Called when the answer is complete. */
  onEnd(trailers: IncomingHttpHeaders | undefined): void;
  /** Called when the exchange has failed. The error takes the place of the missing part of the answer. */
  onError(error: ConnectError): void;
  onDrain(): void;
}

/** Makes exchanges over its own connections. */
export interface Carrier {
  /** Makes the exchange of a call, and reports the outcome to the call. */
  carry(call: CarriedCall): void;
  /** Takes no new calls. Resolves when open ones have finished, or were cut after closeTimeoutMs. */
  close(): Promise<void>;
}

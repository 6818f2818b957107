import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { ConnectError } from "@connectrpc/connect";

/** Contents of a request ahead of its body. */
export interface RequestHead {
  readonly verb: "POST" | "GET";
  /** Path and query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: OutgoingHttpHeaders;
}

/** One exchange of HTTP, whatever carries it. A call knows nothing else of HTTP. */
export interface Wire {
  /** Returns false when the server reads slowly: `onDrain` reports when there is room again. */
  write(bytes: Uint8Array): boolean;
  /** Ends the request's body. */
  end(bytes?: Uint8Array): void;
  /** Stops reading the answer for a while. Arriving bytes wait on the connection, up to its windows. */
  pause(): void;
  resume(): void;
  /** Breaks off what is left of the exchange. Its call is told nothing more. */
  cancel(): void;
}

/**
 * A call as its carrier sees it. A request that no server has acted on may be sent several times, over one wire after
 * the other: `send` begins each.
 */
export interface CarriedCall {
  readonly head: RequestHead;
  /** Whether the whole body is there from the start, so that `send` ends it at once. */
  readonly isWhole: boolean;
  /** Whether the call has ended, and needs no answer any more. */
  readonly isOver: boolean;
  /** Whether the body can still be sent from its beginning. */
  readonly canReplay: boolean;
  /** Whether the call has a deadline, which bounds how long it waits for a connection. */
  readonly hasDeadline: boolean;
  /** Aborted, with the reason, when the call is ended before its answer. */
  readonly signal: AbortSignal;
  /** Returns the size of what is known of the body, in bytes, before it is sent. Rejects like the body's source. */
  firstBytes(): number | Promise<number>;
  /** Sends the body from its beginning. */
  send(wire: Wire): void;
  /** No server has acted on the request: it is sent again, over another wire. */
  onUnsent(): void;
  onHead(status: number, headers: IncomingHttpHeaders): void;
  onData(bytes: Buffer): void;
  /** The answer is complete. */
  onEnd(trailers: IncomingHttpHeaders | undefined): void;
  /** The exchange has failed: comes in the place of whatever is missing of the answer. */
  onError(error: ConnectError): void;
  onDrain(): void;
}

/** Makes exchanges over its own connections. */
export interface Carrier {
  /** Makes the exchange of a call, which gets its outcome. */
  carry(call: CarriedCall): void;
  /** Takes no new calls. Resolves when open ones have finished, or were cut after closeTimeoutMs. */
  close(): Promise<void>;
}

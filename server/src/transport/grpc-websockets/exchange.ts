import type { IncomingMessage } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import type { WebSocket } from "ws";
import type { SocketHolds } from "./holds.ts";

/** Call of a socket, as its frames see it, with any carrier. */
export interface Exchange {
  /** Whether the answer to a unary call is complete, and only waits for its reader. */
  readonly isAnswered: boolean;
  /** Whether the carrier itself bounds the time of uploads and of requests with one message. */
  readonly boundsUploads: boolean;
  /** Begins the call. */
  start(): void;
  /** Takes a part of the request. */
  push(bytes: Buffer): void;
  /** Ends the request. With an error, its reader gets that after the bytes that have arrived. */
  end(error?: ConnectError): void;
  /** Ends the call because its client has violated the protocol after its request. */
  abort(error: ConnectError): void;
  /** Called when the socket will be closed. Bytes that still arrive are not read. */
  abandon(): void;
  /**
   * Called when the socket has gone.
   *
   * @param failure Fault that has ended the request. Its reader may not have received it yet.
   */
  close(failure?: ConnectError): void;
}

/** Socket of a call, as its carrier sees it. */
export interface CallSocket {
  readonly ws: WebSocket;
  readonly holds: SocketHolds;
  /** Bounds the time that a failed call takes to end, even if its client does not read. */
  hurry(): void;
  /** Closes the socket, since the whole answer has been sent. */
  finish(closeCode?: number): void;
}

/** Request that a call begins with. */
export interface ExchangeRequest {
  /** The request that opened the socket. */
  readonly upgrade: IncomingMessage;
  /** Headers of the call, names and values in turn. */
  readonly fields: readonly string[];
  readonly requestId: string;
  /** Monotonic, in milliseconds. */
  readonly startedAtMs: number;
  /** Reason why the call is refused before it begins. */
  readonly refusal?: ConnectError | undefined;
}

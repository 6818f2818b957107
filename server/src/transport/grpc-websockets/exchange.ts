import type { IncomingMessage } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import type { WebSocket } from "ws";
import type { SocketHolds } from "./holds.ts";

/** The call of a socket, as far as its frames are concerned, whoever carries it. */
export interface Exchange {
  /** Whether the answer to a unary call is complete, and only waits for its reader. */
  readonly isAnswered: boolean;
  /** Whether the carrier itself bounds the time of a request with one message and of an upload. */
  readonly boundsUploads: boolean;
  /** Begins the call. */
  start(): void;
  /** Takes a part of the request. */
  push(bytes: Buffer): void;
  /** Ends the request. With an error, its reader gets that after the bytes that have arrived. */
  end(error?: ConnectError): void;
  /** Ends the call of a client that has broken the protocol behind its request. */
  abort(error: ConnectError): void;
  /** The socket is to be closed: nobody will read what still arrives. */
  abandon(): void;
  /** The socket has gone. @param failure Fault that has ended the request, and that its reader may not have got yet. */
  close(failure?: ConnectError): void;
}

/** Socket of a call, as its carrier sees it. */
export interface CallSocket {
  readonly ws: WebSocket;
  readonly holds: SocketHolds;
  /** Bounds the time that a failed call takes to end, even if its client does not read. */
  hurry(): void;
  /** Closes the socket, since the whole answer has left. */
  finish(closeCode?: number): void;
}

/** The request that a call begins with. */
export interface ExchangeRequest {
  /** The request that opened the socket. */
  readonly upgrade: IncomingMessage;
  /** Headers of the call, names and values in turn. */
  readonly fields: readonly string[];
  readonly requestId: string;
  /** Monotonic, in milliseconds. */
  readonly startedAtMs: number;
  /** Why the call is refused before it begins. */
  readonly refusal?: ConnectError | undefined;
}

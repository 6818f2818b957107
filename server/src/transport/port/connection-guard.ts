import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { constants, type Http2ServerRequest, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { FREE_HEADER_BYTES, MAX_TIMES_OVER_BUDGET, TINY_PIECE_BYTES } from "../../limits.ts";
import type { ClientCertificate } from "../../rpc/auth/client-certificate.ts";
import type { RequestContext } from "../../rpc/context.ts";
import type { RemoteAddress } from "./addresses.ts";
import type { CallBytes, CountedReader } from "./call-bytes.ts";
import { clientCertificateOf } from "./client-certificate.ts";
import { peerOf } from "./connection.ts";
import type { ConnectionBytes } from "./connection-bytes.ts";
import type { Caller, ForwardedCallers } from "./forwarded.ts";
import { type Allowance, TokenBucket } from "./token-bucket.ts";

/** Body bytes that arrive between two sums of what the connection holds. */
const BYTES_PER_SUM = 16 * 1_024;

/** Tracks what a connection does, and ends it when it does too much. */
export class ConnectionGuard {
  readonly bytes: ConnectionBytes;
  readonly #caller: Caller;
  readonly #forwarded: ForwardedCallers | undefined;
  readonly #address: RemoteAddress;
  readonly #tinyPieces: TokenBucket;
  readonly #cut: (reason: string) => void;
  /** HTTP/1.1 requests that have not begun yet, in order. */
  readonly line: (() => void)[] = [];
  /** Called when more of a body has arrived. */
  onUpload: () => void = () => {};
  /** Bytes of all bodies so far. */
  arrivedBytes = 0;
  #summedAtBytes = 0;
  #isAdmitted = false;
  #isCut = false;
  readonly #socket: Socket;
  /** Null before it is asked for. */
  #certificate: ClientCertificate | undefined | null = null;

  /**
   * @param caller The other end.
   * @param forwarded Callers that the other end forwards requests for, if it is a trusted proxy.
   * @param cut Ends the connection of a client that floods it.
   */
  constructor(
    socket: Socket,
    caller: Caller,
    forwarded: ForwardedCallers | undefined,
    address: RemoteAddress,
    bytes: ConnectionBytes,
    tinyPieces: Allowance,
    cut: (reason: string) => void,
  ) {
    this.#socket = socket;
    this.#caller = caller;
    this.#forwarded = forwarded;
    this.#address = address;
    this.bytes = bytes;
    this.#tinyPieces = new TokenBucket(tinyPieces);
    this.#cut = cut;
  }

  /** Returns the client of a request with these headers. */
  callerOf(headers: IncomingHttpHeaders): Caller {
    return this.#forwarded?.callerOf(headers) ?? this.#caller;
  }

  /** Marks the client as known, since the gate has let one of the connection's calls in. */
  admit(): void {
    this.#isAdmitted = true;
  }

  /** Certificate of the client. */
  get certificate(): ClientCertificate | undefined {
    if (this.#certificate === null) {
      this.#certificate = this.#socket instanceof TLSSocket ? clientCertificateOf(this.#socket) : undefined;
    }
    return this.#certificate;
  }

  get isAdmitted(): boolean {
    return this.#isAdmitted;
  }

  /**
   * Counts a piece of a body that has arrived.
   *
   * @param beforeBytes Length of the piece before it, infinite for a body's first.
   */
  onPiece(bytes: number, beforeBytes: number): void {
    if (bytes < TINY_PIECE_BYTES && beforeBytes < TINY_PIECE_BYTES) this.#onTinyPiece();
    this.arrivedBytes += bytes;
    if (this.arrivedBytes - this.#summedAtBytes < BYTES_PER_SUM) return;
    this.#summedAtBytes = this.arrivedBytes;
    this.onUpload();
    this.bytes.sum();
    if (this.bytes.heldBytes > MAX_TIMES_OVER_BUDGET * this.bytes.budget.options.maxConnectionBytes)
      this.#end("unread bodies");
  }

  #onTinyPiece(): void {
    const tinyPieces = this.#isAdmitted ? this.#tinyPieces : this.#address.tinyPieces;
    if (!tinyPieces.spend(1)) this.#end("body in tiny pieces");
  }

  /** Counts a request's header; `bytes` is its size by RFC 9113, 6.5.2. */
  onHeader(bytes: number): void {
    if (this.#isAdmitted || bytes <= FREE_HEADER_BYTES) return;
    if (!this.#address.largeHeaders.spend(bytes - FREE_HEADER_BYTES)) this.#end("large headers");
  }

  /** Counts a stream that was reset, by its client or because of something the client did. */
  onReset(): void {
    if (!this.#isAdmitted && !this.#address.resets.spend(1)) this.#end("rapid reset");
  }

  /** Counts bytes of frames that are no requests. */
  onControlBytes(bytes: number): void {
    if (!this.#address.controlBytes.overspend(bytes)) this.#end("control frames");
  }

  #end(reason: string): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#cut(reason);
  }
}

const guards = new WeakMap<object, ConnectionGuard>();
const calls = new WeakMap<object, CallBytes>();

/** Returns the object that identifies the request's connection: a session or a socket. */
export function connectionOf(request: IncomingMessage | Http2ServerRequest): object | undefined {
  return "stream" in request ? request.stream?.session : request.socket;
}

/** Remembers the guard of a session or a socket. */
export function setGuard(connection: object, guard: ConnectionGuard): void {
  guards.set(connection, guard);
}

export function guardOf(connection: object | undefined): ConnectionGuard | undefined {
  return connection && guards.get(connection);
}

/** Returns the client of a request. It is known while the request's connection is open. */
export function callerOf(request: IncomingMessage | Http2ServerRequest): Caller {
  const known = guardOf(connectionOf(request))?.callerOf(request.headers);
  return known ?? { peer: peerOf(request), address: undefined };
}

/** Returns the object that counts the bytes of a request's call. */
export function callBytesOf(request: object): CallBytes | undefined {
  return calls.get(request);
}

/** Remembers the object that counts the bytes of a request's call. */
export function setCallBytes(request: object, bytes: CallBytes): void {
  calls.set(request, bytes);
}

/** Returns whether a session or a socket has many open calls, or holds much. */
export function isHeavy(connection: object): boolean {
  return guardOf(connection)?.bytes.isHeavy ?? false;
}

/** Returns whether a session or a socket holds too much for another call. */
export function isOverBudget(connection: object): boolean {
  return guardOf(connection)?.bytes.isOver ?? false;
}

/** Counts the answer of a call that was refused before its request was read, until the client has read it. */
export function countAnswer(stream: ServerHttp2Stream): void {
  const call = guardOf(stream.session)?.bytes.open({
    queuedBytes: () => stream.readableLength + stream.writableLength,
    unsentBytes: () => stream.writableLength,
    end: () => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM),
  });
  if (call) stream.once("close", () => call.close());
}

/**
 * Counts the bytes of a call that a WebSocket carries, until its socket closes.
 *
 * @param body The request's body, with the bytes of it that wait for the handler.
 * @param unsentBytes Returns the answer bytes that the socket has not been given yet.
 */
export function countWebSocket(
  upgrade: IncomingMessage,
  body: CountedReader & { readonly waitingBytes: number },
  unsentBytes: () => number,
): void {
  const { socket } = upgrade;
  const call = guardOf(socket)?.bytes.open({
    queuedBytes: () => body.waitingBytes + unsentBytes() + socket.writableLength,
    unsentBytes: () => unsentBytes() + socket.writableLength,
    end: () => socket.destroy(),
  });
  if (!call) return;
  call.reader = body;
  setCallBytes(upgrade, call);
  socket.on("data", () => call.moved());
  socket.once("close", () => call.close());
}

/** Returns the hooks through which a request's call reports to its connection. */
export function connectionHooks(
  request: IncomingMessage | Http2ServerRequest,
): Pick<RequestContext, "certificate" | "onAdmitted" | "hold" | "keep" | "room"> {
  const guard = guardOf(connectionOf(request));
  const bytes = calls.get(request);
  return {
    certificate: guard?.certificate,
    onAdmitted: (isKnown) => isKnown && guard?.admit(),
    hold: bytes && ((deltaBytes) => bytes.hold(deltaBytes)),
    keep: bytes && ((deltaBytes) => bytes.keep(deltaBytes)),
    room: bytes && ((size) => bytes.room(size)),
  };
}

import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Http2Connection } from "../http/http2-connection.ts";
import { notSent } from "../http/open-socket.ts";
import type { CarriedCall, Wire } from "./wire.ts";

const wireKey = Symbol("wire");
/** Node's streams store their wire under this key, so that all can share the same listeners. */
type CarriedStream = ClientHttp2Stream & { [wireKey]?: Http2Wire | undefined };

const OPEN = Object.freeze({ endStream: false });
const ENDED = Object.freeze({ endStream: true });

/**
 * Called with the error of a call that its server has certainly not acted on. Returns whether the call will be sent
 * again.
 */
export type Replay = (call: CarriedCall, connection: Http2Connection) => boolean;

/** Wire over a stream of a connection. It uses the stream's core events. */
export class Http2Wire implements Wire {
  readonly #connection: Http2Connection;
  readonly #stream: CarriedStream;
  readonly #replay: Replay;
  /** Undefined once the call needs nothing more of the stream. */
  #call: CarriedCall | undefined;
  /** Resets the stream of a request that has not been sent completely. */
  readonly #reset: AbortController | undefined;
  /** In whole milliseconds, since V8 keeps those without an allocation. */
  readonly #sentAtMs = Math.trunc(performance.now());
  #trailers: IncomingHttpHeaders | undefined;
  #hasAnswered = false;
  #isReleased = false;
  #isDrainWatched = false;

  /** Opens a stream in a place that the connection has reserved, and makes the call send its request. */
  static open(connection: Http2Connection, call: CarriedCall, replay: Replay): void {
    let wire: Http2Wire;
    try {
      wire = new Http2Wire(connection, call, replay);
    } catch (error) {
      connection.release();
      if (!replay(call, connection)) call.onError(notSent(connection.address.origin, error));
      return;
    }
    call.send(wire);
  }

  private constructor(connection: Http2Connection, call: CarriedCall, replay: Replay) {
    const { verb, path, headers } = call.head;
    this.#connection = connection;
    this.#call = call;
    this.#replay = replay;
    headers[":method"] = verb;
    headers[":path"] = path;
    // Node.js omits the brackets of an IPv6 address. If the caller has set a Host, only that is sent.
    if (headers.host === undefined) headers[":authority"] = connection.address.authority;
    // Closing a stream first ends its request as if it were complete. An incomplete request is therefore aborted.
    this.#reset = call.isWhole ? undefined : new AbortController();
    const options = this.#reset ? { endStream: false, signal: this.#reset.signal } : verb === "GET" ? ENDED : OPEN;
    const stream: CarriedStream = connection.request(headers, options);
    this.#stream = stream;
    stream[wireKey] = this;
    stream.on("response", onResponse);
    stream.on("trailers", onTrailers);
    // The stream's end reports what went wrong.
    stream.on("error", ignore);
    stream.on("close", onClose);
  }

  write(bytes: Uint8Array): boolean {
    const stream = this.#stream;
    // Nobody will read the rest of the request; the stream's end follows.
    if (stream.destroyed || stream.writableEnded) return true;
    const hasRoom = stream.write(bytes);
    if (!hasRoom && !this.#isDrainWatched) {
      this.#isDrainWatched = true;
      stream.on("drain", onDrain);
    }
    return hasRoom;
  }

  end(bytes?: Uint8Array): void {
    const stream = this.#stream;
    if (!stream.destroyed && !stream.writableEnded) stream.end(bytes);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  cancel(): void {
    this.#call = undefined;
    const stream = this.#stream;
    if (stream.closed || stream.destroyed) return;
    if (!this.#hasAnswered) this.#connection.unanswered(this.#sentAtMs);
    if (this.#reset) this.#reset.abort(CANCELED);
    else stream.close(constants.NGHTTP2_CANCEL);
  }

  onResponse(headers: IncomingHttpHeaders & { ":status"?: number }): void {
    this.#hasAnswered = true;
    this.#connection.answered();
    const stream = this.#stream;
    const call = this.#call;
    // Read even an answer that nobody needs, so that the stream ends.
    if (!call) stream.resume();
    else {
      call.onHead(headers[":status"] ?? 0, headers);
      stream.on("data", onData);
      stream.on("end", onEnd);
    }
  }

  onTrailers(trailers: IncomingHttpHeaders): void {
    this.#trailers = trailers;
  }

  onData(bytes: Buffer): void {
    this.#connection.heard();
    const call = this.#call;
    if (!call) return;
    if (!call.isWhole) this.#connection.address.delivered();
    call.onData(bytes);
  }

  onEnd(): void {
    const call = this.#call;
    // A stream that was reset may end like a complete one.
    if (!call || this.#fault()) return;
    this.#call = undefined;
    this.#connection.address.delivered();
    const { writableEnded, closed } = this.#stream;
    // A complete exchange makes room immediately; Node.js reports its close later.
    if (writableEnded) this.#release();
    // A server may answer before the request's end. The rest of the request is then not needed.
    if (writableEnded && !closed) this.#stream.close(constants.NGHTTP2_CANCEL);
    call.onEnd(this.#trailers);
  }

  onDrain(): void {
    this.#call?.onDrain();
  }

  onClose(): void {
    const stream = this.#stream;
    const connection = this.#connection;
    const call = this.#call;
    stream[wireKey] = undefined;
    this.#call = undefined;
    // The server asks for less load on this connection (RFC 9113, 7).
    if (stream.rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM) connection.retire();
    // Read the fault now: once the connection ends, its error would hide the stream's own reset code.
    const fault = call && this.#fault();
    this.#release();
    if (!call) return;
    const isUnsent = fault?.isUnsent && !this.#hasAnswered;
    if (isUnsent && this.#replay(call, connection)) return;
    call.onError(fault?.error ?? new ConnectError("the server sent no response", Code.Internal));
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#connection.release();
  }

  /** Returns the fault that a stream has ended with, if any: an error of the connection, or the server's RST_STREAM. */
  #fault(): { error: ConnectError; isUnsent: boolean } | undefined {
    const stream = this.#stream;
    const connection = this.#connection;
    if (!stream.closed && !stream.destroyed) return undefined;
    const { rstCode } = stream;
    const isRefused = stream.id === undefined || connection.isRefusedByGoaway(stream.id);
    if (isRefused || rstCode === constants.NGHTTP2_REFUSED_STREAM) {
      const error = notSent(connection.address.origin, new Error("the server refused the stream"));
      return { error, isUnsent: true };
    }
    if (rstCode === undefined || rstCode === constants.NGHTTP2_NO_ERROR) return undefined;
    if (connection.isLost) {
      const loss = connection.lost();
      return { error: new ConnectError(loss.message, Code.Unavailable, undefined, undefined, loss), isUnsent: false };
    }
    const code = codeByReset.get(rstCode) ?? Code.Internal;
    return {
      error: new ConnectError(`the server reset the stream (HTTP/2 error ${rstCode})`, code),
      isUnsent: false,
    };
  }
}

/** Created once: otherwise each abort without a reason would create an error with a stack. */
const CANCELED = new Error("the call has ended");

/** Codes of streams that were reset, by their HTTP/2 error, as gRPC maps them. All others are internal. */
const codeByReset: ReadonlyMap<number, Code> = new Map([
  [constants.NGHTTP2_CANCEL, Code.Canceled],
  [constants.NGHTTP2_ENHANCE_YOUR_CALM, Code.ResourceExhausted],
  [constants.NGHTTP2_INADEQUATE_SECURITY, Code.PermissionDenied],
]);

function ignore(): void {}

function onResponse(this: CarriedStream, headers: IncomingHttpHeaders): void {
  this[wireKey]?.onResponse(headers);
}

function onTrailers(this: CarriedStream, trailers: IncomingHttpHeaders): void {
  this[wireKey]?.onTrailers(trailers);
}

function onData(this: CarriedStream, bytes: Buffer): void {
  this[wireKey]?.onData(bytes);
}

function onEnd(this: CarriedStream): void {
  this[wireKey]?.onEnd();
}

function onDrain(this: CarriedStream): void {
  this[wireKey]?.onDrain();
}

function onClose(this: CarriedStream): void {
  this[wireKey]?.onClose();
}

/**
 * Unary gRPC calls over HTTP/2 with hand-made frames: a generator on node:http2 would be slower than the servers it
 * loads.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import {
  ACK,
  DATA,
  END_HEADERS,
  END_STREAM,
  type Frame,
  frame,
  GOAWAY,
  HEADERS,
  hpackString,
  PING,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  splitFrames,
  uint32,
  WINDOW_UPDATE,
} from "@rollcall/testing/raw/http2";

/** Increase to the largest window of a connection (RFC 9113, 6.9.1) from its initial one. */
const MORE_WINDOW_BYTES = 2 ** 31 - 1 - 65_535;
const EMPTY_ENVELOPE_BYTES = 5;

/** Entries of HPACK's static table (RFC 7541, appendix A). */
const METHOD_POST = 3;
const SCHEME_HTTP = 6;
const [AUTHORITY, PATH, AUTHORIZATION, CONTENT_TYPE] = [1, 4, 23, 31];
/** First entry of its dynamic table, the newest. */
const NEWEST = 62;

export interface RawCallsOptions {
  readonly port: number;
  readonly path: string;
  readonly token: string;
  /** Number of concurrent calls. */
  readonly inFlight: number;
  /** Returns the next request, in its envelope; undefined when there are no more. */
  nextRequest(): Uint8Array | undefined;
  onAnswer(): void;
}

/**
 * Makes calls on its own connection until there are no more and all are answered. Headers are sent once, and later
 * calls refer to their places in the table, so that a call is two small frames.
 *
 * @throws Error when a call ends without a message, as a failed one does, or when the connection ends.
 */
export async function makeRawCalls(options: RawCallsOptions): Promise<void> {
  const socket = connect(options.port, "127.0.0.1").setNoDelay();
  await once(socket, "connect");
  socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), frame(WINDOW_UPDATE, 0, 0, uint32(MORE_WINDOW_BYTES))]));
  try {
    await new Promise<void>((resolve, reject) => new Calls(socket, options, resolve, reject));
  } finally {
    socket.destroy();
  }
}

class Calls {
  readonly #socket: Socket;
  readonly #options: RawCallsOptions;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;
  /** Streams whose answer has already had its message. */
  readonly #answered = new Set<number>();
  #open = 0;
  #nextStreamId = 1;
  #rest: Buffer = Buffer.alloc(0);
  #outgoing: Uint8Array[] = [];

  constructor(socket: Socket, options: RawCallsOptions, resolve: () => void, reject: (error: Error) => void) {
    this.#socket = socket;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the connection has ended")));
    for (let index = 0; index < options.inFlight; index++) this.#begin();
    this.#flush();
  }

  #begin(): void {
    const request = this.#options.nextRequest();
    if (!request) {
      if (this.#open === 0) this.#resolve();
      return;
    }
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    this.#open += 1;
    const block = streamId === 1 ? firstBlock(this.#options) : LATER_BLOCK;
    this.#outgoing.push(frame(HEADERS, END_HEADERS, streamId, block), frame(DATA, END_STREAM, streamId, request));
  }

  /** Sends all collected bytes in one write. */
  #flush(): void {
    if (this.#outgoing.length === 0) return;
    this.#socket.write(Buffer.concat(this.#outgoing));
    this.#outgoing = [];
  }

  #take(bytes: Buffer): void {
    const all = this.#rest.byteLength === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    this.#rest = splitFrames(all, (frame) => this.#react(frame));
    this.#flush();
  }

  #react({ type, flags, streamId, payload }: Frame): void {
    if (type === DATA && payload.byteLength > EMPTY_ENVELOPE_BYTES) this.#answered.add(streamId);
    if ((type === HEADERS || type === DATA) && flags & END_STREAM) this.#end(streamId);
    else if (type === RST_STREAM || type === GOAWAY) this.#reject(new Error("the server has ended a call"));
    else if (type === SETTINGS && !(flags & ACK)) this.#outgoing.push(frame(SETTINGS, ACK, 0));
    else if (type === PING && !(flags & ACK)) this.#outgoing.push(frame(PING, ACK, 0, payload));
  }

  #end(streamId: number): void {
    this.#open -= 1;
    if (this.#answered.delete(streamId)) {
      this.#options.onAnswer();
      this.#begin();
    } else this.#reject(new Error("a call has ended without a message"));
  }
}

/** Encodes the header fields of a connection's first call, which add themselves to the table (RFC 7541, 6.2.1). */
function firstBlock({ port, path, token }: RawCallsOptions): Buffer {
  const added = (name: number, value: string) => Buffer.concat([Buffer.of(0x40 | name), hpackString(value)]);
  return Buffer.concat([
    Buffer.of(0x80 | METHOD_POST, 0x80 | SCHEME_HTTP),
    added(PATH, path),
    added(AUTHORITY, `127.0.0.1:${port}`),
    added(CONTENT_TYPE, "application/grpc"),
    Buffer.concat([Buffer.of(0x40), hpackString("te"), hpackString("trailers")]),
    added(AUTHORIZATION, `Bearer ${token}`),
  ]);
}

/** The same fields by their places in the tables (RFC 7541, 6.1). Five of them were added. */
const LATER_BLOCK = Buffer.from([
  0x80 | METHOD_POST,
  0x80 | SCHEME_HTTP,
  ...[4, 3, 2, 1, 0].map((place) => 0x80 | (NEWEST + place)),
]);

import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { isTurnOver, nextTurn } from "../../runtime/loop-turn.ts";
import { type Connection, connectionKey } from "../context.ts";
import { isByteStream } from "./byte-stream.ts";

/** Content types whose bodies are envelopes. */
const ENVELOPED = /^application\/(?:grpc|connect\+)/i;
/** Of an envelope: a byte of flags and four of length. */
const ENVELOPE_HEADER_BYTES = 5;
/**
 * Of one piece, which is decoded, and mostly also handled, before the loop can turn:
 * messages at up to 60 microseconds each, bytes at a few milliseconds for a megabyte.
 */
const MAX_PIECE_ENVELOPES = 64;
const MAX_PIECE_BYTES = 256 * 1_024;

/** The same handler, to whom bodies come in few pieces, whatever their clients cut them into. */
export function assembleBodies(handler: UniversalHandler, maxBytes: number): UniversalHandler {
  const assembled = ({ body, ...request }: Parameters<UniversalHandler>[0]) => {
    const contentType = request.header.get("content-type") ?? "";
    if (!isByteStream(body)) return handler({ ...request, body });
    const connection = request.contextValues?.get(connectionKey);
    return handler({ ...request, body: assembleBody(body, contentType, maxBytes, request.signal, connection) });
  };
  return Object.assign(assembled, handler);
}

/**
 * The same bytes in few pieces: some whole envelopes for a body that consists of
 * them (gRPC, gRPC-Web, Connect streams), else the whole body.
 *
 * A client chooses how its body is cut, down to single bytes, and what reads bodies
 * takes time that grows with the square of the pieces. It also takes all that has
 * arrived without a pause; so between pieces others get a turn, and a piece is
 * small, however much arrived at once: 800,000 empty messages fit into 4 MB.
 *
 * What is longer than `maxBytes` is passed on as it comes, to be refused. When the
 * signal is aborted nobody waits for the rest: the body throws its reason.
 *
 * @param connection Counts what is held and kept, and says when to read on.
 * @throws ConnectError invalid_argument where the body ends within an envelope, even
 * right behind its header. Parsers that wait for the rest can't tell that end from
 * the stream's, and an upload that was cut would be acknowledged.
 */
export async function* assembleBody(
  chunks: AsyncIterable<Uint8Array>,
  contentType: string,
  maxBytes: number,
  signal?: AbortSignal,
  { hold, keep }: Pick<Connection, "hold" | "keep"> = {},
): AsyncIterable<Uint8Array> {
  await hold?.(0);
  const held = new Held(hold);
  const pieces = ENVELOPED.test(contentType) ? envelopes(chunks, maxBytes, held) : wholeBody(chunks, maxBytes, held);
  let keptBytes = 0;
  for await (const piece of pieces) {
    signal?.throwIfAborted();
    keep?.(piece.length - keptBytes);
    keptBytes = piece.length;
    yield piece;
    if (isTurnOver()) await nextTurn();
  }
  keep?.(-keptBytes);
}

async function* wholeBody(chunks: AsyncIterable<Uint8Array>, maxBytes: number, held: Held): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) {
    if (held.length > 0 && held.length + chunk.length > maxBytes) yield held.take();
    held.append(chunk, maxBytes);
    if (held.length > maxBytes) yield held.take();
    await held.count();
  }
  if (held.length > 0) yield held.take();
}

async function* envelopes(chunks: AsyncIterable<Uint8Array>, maxBytes: number, held: Held): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) {
    let rest = chunk;
    if (held.length > 0) {
      // First the header's end, which tells how much more belongs to it.
      const headerPart = rest.subarray(0, Math.max(0, ENVELOPE_HEADER_BYTES - held.length));
      held.append(headerPart, ENVELOPE_HEADER_BYTES);
      rest = rest.subarray(headerPart.length);
      const length = envelopeLength(held.bytes, maxBytes);
      const bodyPart = rest.subarray(0, Math.max(0, length - held.length));
      held.append(bodyPart, length);
      rest = rest.subarray(bodyPart.length);
      if (held.length < envelopeLength(held.bytes, maxBytes)) {
        await held.count();
        continue;
      }
      yield held.take();
    }
    for (;;) {
      const whole = wholeEnvelopes(rest, maxBytes);
      if (whole === 0) break;
      yield rest.subarray(0, whole);
      rest = rest.subarray(whole);
    }
    held.append(rest, rest.length);
    await held.count();
  }
  if (held.length > 0) throw new ConnectError("the request ends within a message", Code.InvalidArgument);
}

/** How many of these bytes make whole envelopes, as many as go into one piece. */
function wholeEnvelopes(bytes: Uint8Array, maxBytes: number): number {
  let end = 0;
  for (let count = 0; count < MAX_PIECE_ENVELOPES && end < MAX_PIECE_BYTES && end < bytes.length; count++) {
    const length = envelopeLength(bytes.subarray(end), maxBytes);
    if (end + length > bytes.length) break;
    end += length;
  }
  return end;
}

/** Of the envelope that begins these bytes, its header included; only the header's of one that is too long. */
function envelopeLength(bytes: Uint8Array, maxBytes: number): number {
  if (bytes.length < ENVELOPE_HEADER_BYTES) return ENVELOPE_HEADER_BYTES;
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1);
  return length > maxBytes ? ENVELOPE_HEADER_BYTES : ENVELOPE_HEADER_BYTES + length;
}

/** Bytes that are not passed on yet, in a buffer that doubles: however they arrive, each is copied a few times at most. */
class Held {
  readonly #hold: Connection["hold"];
  #buffer = new Uint8Array(0);
  #length = 0;
  #countedBytes = 0;

  constructor(hold?: Connection["hold"]) {
    this.#hold = hold;
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** @param maxLength Beyond which nothing more is expected: for it there is no room in advance. */
  append(bytes: Uint8Array, maxLength: number): void {
    const length = this.#length + bytes.length;
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(length, Math.min(this.#buffer.length * 2, maxLength)));
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
  }

  /** Has what is held counted. Where it returns a promise, more may be read when that resolves. */
  count(): Promise<void> | undefined {
    const delta = this.#buffer.length - this.#countedBytes;
    this.#countedBytes += delta;
    return delta === 0 ? undefined : this.#hold?.(delta);
  }

  /** What is held, which is then the receiver's. */
  take(): Uint8Array {
    const taken = this.bytes;
    this.#buffer = new Uint8Array(0);
    this.#length = 0;
    this.count();
    return taken;
  }
}

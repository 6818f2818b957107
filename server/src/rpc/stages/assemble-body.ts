import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { GrowingBuffer } from "@rollcall/shared/growing-buffer";
import { isTurnOver, nextTurn } from "../../runtime/loop-turn.ts";
import { endsWithin } from "../call-errors.ts";
import { type RequestContext, requestContextKey } from "../context.ts";
import { isByteStream } from "./byte-stream.ts";

/** Content types whose bodies consist of envelopes. */
const ENVELOPED = /^application\/(?:grpc|connect\+)/i;
/** Header of an envelope: a byte of flags and four of length. */
const ENVELOPE_HEADER_BYTES = 5;
/**
 * Most envelopes and bytes in one piece. A piece is decoded, and usually handled too, before the event loop can turn. A
 * message takes up to 60 microseconds, and a megabyte takes a few milliseconds.
 */
const MAX_PIECE_ENVELOPES = 64;
const MAX_PIECE_BYTES = 256 * 1_024;

/** Wraps a handler, so that it gets each body in few pieces, however the client has cut it. */
export function assembleBodies(handler: UniversalHandler, maxBytes: number): UniversalHandler {
  const assembled = ({ body, ...request }: Parameters<UniversalHandler>[0]) => {
    const contentType = request.header.get("content-type") ?? "";
    if (!isByteStream(body)) return handler({ ...request, body });
    const context = request.contextValues?.get(requestContextKey);
    return handler({ ...request, body: assembleBody(body, contentType, maxBytes, request.signal, context) });
  };
  return Object.assign(assembled, handler);
}

/**
 * Yields the same bytes in few pieces. For a body of envelopes (gRPC, gRPC-Web, Connect streams), each piece has some
 * whole envelopes; any other body is one piece.
 *
 * A client chooses how its body is cut, down to single bytes. The code that reads bodies takes time that grows with the
 * square of the number of pieces. It also reads everything that has arrived without a pause: 800,000 empty messages fit
 * into 4 MB. Pieces are therefore small, however much arrived at once, and others get a turn between them.
 *
 * A message longer than `maxBytes` is passed on as it comes, to be refused. When the signal is aborted, the body throws
 * its reason, since nobody waits for the rest.
 *
 * @param context Counts the bytes held and kept, and says when to read on.
 * @throws ConnectError invalid_argument if the body ends within an envelope, even right after its header. Parsers that
 * wait for the rest can't tell that end from the stream's, and would acknowledge an upload that was cut.
 */
export async function* assembleBody(
  chunks: AsyncIterable<Uint8Array>,
  contentType: string,
  maxBytes: number,
  signal?: AbortSignal,
  { hold, keep }: Pick<RequestContext, "hold" | "keep"> = {},
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
  signal?.throwIfAborted();
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
      // Complete the header first, since it holds the length of the envelope.
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
  if (held.length > 0) throw endsWithin();
}

/** Returns the length of the whole envelopes at the start of these bytes, as many as go into one piece. */
function wholeEnvelopes(bytes: Uint8Array, maxBytes: number): number {
  let end = 0;
  for (let count = 0; count < MAX_PIECE_ENVELOPES && end < MAX_PIECE_BYTES && end < bytes.length; count++) {
    const length = envelopeLength(bytes.subarray(end), maxBytes);
    if (end + length > bytes.length) break;
    end += length;
  }
  return end;
}

/** Returns the length of the first envelope, header included. If the message is too long, returns only the header's. */
function envelopeLength(bytes: Uint8Array, maxBytes: number): number {
  if (bytes.length < ENVELOPE_HEADER_BYTES) return ENVELOPE_HEADER_BYTES;
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1);
  return length > maxBytes ? ENVELOPE_HEADER_BYTES : ENVELOPE_HEADER_BYTES + length;
}

/** Bytes that are not passed on yet. */
class Held {
  readonly #hold: RequestContext["hold"];
  #buffer = new GrowingBuffer();
  #countedBytes = 0;

  constructor(hold?: RequestContext["hold"]) {
    this.#hold = hold;
  }

  get length(): number {
    return this.#buffer.length;
  }

  get bytes(): Uint8Array {
    return this.#buffer.bytes;
  }

  /** @param maxLength Largest expected length. The buffer does not grow beyond it in advance. */
  append(bytes: Uint8Array, maxLength: number): void {
    this.#buffer.append(bytes, maxLength);
  }

  /** Reports the change in held bytes to the connection. If it returns a promise, wait for that before reading on. */
  count(): Promise<void> | undefined {
    const delta = this.#buffer.capacity - this.#countedBytes;
    this.#countedBytes += delta;
    return delta === 0 ? undefined : this.#hold?.(delta);
  }

  /** Returns the held bytes, which then belong to the caller. */
  take(): Uint8Array {
    const taken = this.bytes;
    this.#buffer = new GrowingBuffer();
    this.count();
    return taken;
  }
}

import { Code, ConnectError } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";
import type { StreamService } from "@rollcall/gen/stream/v1/stream";
import type { CallOptions } from "../call-options.ts";
import { ChecksumMismatchError, toRollcallError } from "../errors.ts";
import { callHook } from "../internal/call-hook.ts";
import { readStream } from "../internal/read-stream.ts";
import type { ServiceClient } from "../internal/service-client.ts";

/** Most bytes of the file in one message. */
const CHUNK_BYTES = 64 * 1_024;

/** Source of an upload. A stream or iterable is read once, as fast as the server accepts it. */
export type UploadSource = Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

export interface UploadProgress {
  readonly sentBytes: number;
  /** Undefined if the size of the source is not known. */
  readonly totalBytes: number | undefined;
}

export interface UploadOptions extends CallOptions {
  /** Called as chunks are sent. Errors that it throws are dropped. */
  onProgress?: ((progress: UploadProgress) => void) | undefined;
  /**
   * Size of the source, in bytes. It is shown in the progress, and fewer bytes than that are an error. A Blob has its
   * own.
   */
  totalBytes?: number | undefined;
}

export interface UploadReceipt {
  readonly totalBytes: number;
  /** SHA-256 in lower-case hexadecimal. The server's and the client's are the same. */
  readonly checksum: string;
}

/** SHA-256 that is computed piece by piece. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  hex(): string;
}

/** Uploads a source like {@link upload}, with the platform's SHA-256. */
export type UploadFunction = (
  calls: ServiceClient<typeof StreamService>,
  source: UploadSource,
  options: UploadOptions,
) => Promise<UploadReceipt>;

/**
 * Sends the source in 64 KiB chunks, and hashes them on the way.
 *
 * @throws ChecksumMismatchError when the server received something else.
 * @throws TypeError for anything but a source, and for a source of anything but bytes, such as a stream of strings.
 * @throws Error when the source ends before `totalBytes`.
 * @throws ConnectError internal when the server answers before the source's end, or has counted other bytes.
 * @throws the error of the source, or a RollcallError or ConnectError of the call.
 */
export async function upload(
  streams: ServiceClient<typeof StreamService>,
  source: UploadSource,
  sha256: Sha256,
  { onProgress, totalBytes = source instanceof Blob ? source.size : undefined, ...callOptions }: UploadOptions,
): Promise<UploadReceipt> {
  let sentBytes = 0;
  let isSent = false;
  let sourceFault: { error: unknown } | undefined;
  const bytes = bytesOf(source);
  const controller = createLinkedAbortController(callOptions.signal);
  const readSource = async () => {
    try {
      const result = await bytes.next();
      if (!result.done && !(result.value instanceof Uint8Array)) {
        throw new TypeError("the source must give bytes, as Uint8Array");
      }
      return result;
    } catch (error) {
      sourceFault = { error };
      throw error;
    }
  };
  async function* chunks() {
    for await (const chunk of inChunks(readSource)) {
      sha256.update(chunk);
      yield { chunk };
      sentBytes += chunk.byteLength;
      callHook(() => onProgress?.({ sentBytes, totalBytes }));
    }
    // If a file shrinks while it is read, a browser ends its stream as if it were complete.
    if (totalBytes !== undefined && sentBytes < totalBytes) {
      sourceFault = { error: new Error(`the source ended after ${sentBytes} of ${totalBytes} bytes`) };
      throw sourceFault.error;
    }
    isSent = true;
  }
  try {
    const options = { ...callOptions, signal: controller.signal };
    const receipt = await streams.clientStream(chunks(), options);
    if (!isSent) throw new ConnectError("the server has answered before the end of the upload", Code.Internal);
    const checksum = sha256.hex();
    if (checksum !== receipt.checksum) throw new ChecksumMismatchError(checksum, receipt.checksum);
    if (receipt.totalBytes !== BigInt(sentBytes)) {
      throw new ConnectError(`the server has counted ${receipt.totalBytes} of ${sentBytes} bytes`, Code.Internal);
    }
    return { totalBytes: sentBytes, checksum };
  } catch (error) {
    if (sourceFault) throw sourceFault.error;
    throw error instanceof ChecksumMismatchError ? error : toRollcallError(error);
  } finally {
    controller.abort();
    // Not awaited: a source that is stuck in a read may never answer.
    bytes.return?.()?.catch(() => {});
  }
}

function bytesOf(source: UploadSource): AsyncIterator<Uint8Array> {
  if (source instanceof Blob) return readStream(source.stream());
  // Programs in JavaScript may pass anything.
  const object: object = Object(source);
  if (Symbol.asyncIterator in object) return (object as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  if ("getReader" in object) return readStream(object as ReadableStream<Uint8Array>);
  const kinds = "a Blob, a ReadableStream or an async iterable of Uint8Array, or in Node.js the path of a file";
  throw new TypeError(`an upload takes ${kinds}; put bytes or a text into a Blob`);
}

/** Yields the same bytes in chunks of CHUNK_BYTES; the last one may be shorter. */
async function* inChunks(read: () => Promise<IteratorResult<Uint8Array>>): AsyncIterable<Uint8Array> {
  let chunk = new Uint8Array(CHUNK_BYTES);
  let filled = 0;
  for (let result = await read(); !result.done; result = await read()) {
    let piece = result.value;
    while (piece.byteLength > 0) {
      if (filled === 0 && piece.byteLength >= CHUNK_BYTES) {
        yield piece.subarray(0, CHUNK_BYTES);
        piece = piece.subarray(CHUNK_BYTES);
        continue;
      }
      const part = piece.subarray(0, CHUNK_BYTES - filled);
      chunk.set(part, filled);
      filled += part.byteLength;
      piece = piece.subarray(part.byteLength);
      if (filled === CHUNK_BYTES) {
        yield chunk;
        chunk = new Uint8Array(CHUNK_BYTES);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

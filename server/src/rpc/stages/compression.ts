import { promisify } from "node:util";
import {
  brotliCompress,
  brotliDecompress,
  brotliDecompressSync,
  constants,
  gunzip,
  gunzipSync,
  gzip,
  type ZlibOptions,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
} from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { MAX_INLINE_CODING_BYTES } from "../../limits.ts";
import { hasTimeInTurn, timeInTurn } from "../../runtime/loop-turn.ts";
import { malformed } from "../malformed.ts";
import { deflateInLine, inflateInLine, throwIfCallIsOver } from "./coding-work.ts";

/**
 * Brotli's quality. At zlib's default of 11, a page of users takes tens of milliseconds: a client that accepts nothing
 * else could stop the server.
 */
const BROTLI_QUALITY = 4;

/**
 * Options of zstd. At level 1 it compresses a page of users better than gzip, in less time. Without the size, zstd
 * assumes an unknown one, and each answer in flight would hold a megabyte.
 */
const zstdOptions = (bytes: Uint8Array) => ({
  params: { [constants.ZSTD_c_compressionLevel]: 1 },
  pledgedSrcSize: bytes.byteLength,
});

/**
 * Logarithm of the largest window of a zstd message: 8 MiB, as HTTP allows (RFC 9659). Without the limit a client could
 * make us allocate 128 MiB.
 */
const ZSTD_MAX_WINDOW_LOG = 23;
const zstdLimits = { params: { [constants.ZSTD_d_windowLogMax]: ZSTD_MAX_WINDOW_LOG } };

/** Code of zlib's error when the output exceeds `maxOutputLength`. */
const TOO_LARGE = "ERR_BUFFER_TOO_LARGE";

/** Bytes after the end are refused, as they would be lost. In gzip's format they may be another member. */
const toTheEnd = { rejectGarbageAfterEnd: true, info: true };

/** Bytes that zlib inflates at a time of a large message. Each piece costs a round trip to a thread. */
const CHUNK_BYTES = 256 * 1_024;

interface Coding {
  readonly name: string;
  compress(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
  decompress(bytes: Uint8Array, options: InflateOptions): Promise<Uint8Array<ArrayBuffer>>;
  decompressSync(bytes: Uint8Array, options: InflateOptions): Uint8Array<ArrayBuffer>;
}

type InflateOptions = Pick<ZlibOptions, "maxOutputLength" | "chunkSize">;

const compressGzip = promisify(gzip);
const compressBrotli = promisify(brotliCompress);
const compressZstd = promisify(zstdCompress);
const decompressZstd = promisify(zstdDecompress);
const decompressBrotli = promisify(brotliDecompress);

const zstd = (): Compression =>
  createCompression({
    name: "zstd",
    compress: (bytes) => compressZstd(bytes, zstdOptions(bytes)),
    async decompress(bytes, options) {
      return wholeOf(bytes, await decompressZstd(bytes, { ...options, ...zstdLimits, ...toTheEnd }));
    },
    decompressSync: (bytes, options) =>
      wholeOf(bytes, zstdDecompressSync(bytes, { ...options, ...zstdLimits, ...toTheEnd })),
  });

/** Returns whether this Node.js refuses zstd data that is cut off. Node.js 22 accepts it as a whole message. */
function seesCutZstd(): boolean {
  try {
    zstdDecompressSync(zstdCompressSync("cut").subarray(0, -1));
    return false;
  } catch {
    return true;
  }
}

/** Codings that the server accepts and offers, best first. */
export const acceptCompression: Compression[] = [
  ...(seesCutZstd() ? [zstd()] : []),
  createCompression({
    name: "gzip",
    compress: (bytes) => compressGzip(bytes),
    decompress: promisify(gunzip),
    decompressSync: gunzipSync,
  }),
  createCompression({
    name: "br",
    compress: (bytes) => compressBrotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
    async decompress(bytes, options) {
      return wholeOf(bytes, await decompressBrotli(bytes, { ...options, ...toTheEnd }));
    },
    decompressSync: (bytes, options) => wholeOf(bytes, brotliDecompressSync(bytes, { ...options, ...toTheEnd })),
  }),
];

/** Names of {@link acceptCompression}, as headers list them. */
export const acceptedEncodings: string = acceptCompression.map(({ name }) => name).join(",");

/**
 * Returns the inflated bytes of a message, and refuses garbage after its end. Node.js 22 lacks `rejectGarbageAfterEnd`,
 * but reports how many bytes it has read.
 */
function wholeOf(bytes: Uint8Array, inflated: unknown): Uint8Array<ArrayBuffer> {
  const { buffer, engine } = inflated as { buffer: Uint8Array<ArrayBuffer>; engine: { bytesWritten: number } };
  if (engine.bytesWritten !== bytes.byteLength) throw new Error("bytes follow the end of the compressed data");
  return buffer;
}

function createCompression(coding: Coding): Compression {
  const { name } = coding;
  return {
    name,
    compress: (bytes) =>
      bytes.byteLength > MAX_INLINE_CODING_BYTES ? deflateInLine(() => coding.compress(bytes)) : coding.compress(bytes),
    async decompress(bytes, readMaxBytes) {
      // An empty message may be sent with the compressed flag and no bytes.
      if (bytes.byteLength === 0) return new Uint8Array();
      const fail = (error: unknown): never => {
        throw toDecompressionError(error, name, readMaxBytes);
      };
      const message =
        (await inflateSmall(coding, bytes, readMaxBytes).catch(fail)) ??
        (await inflateInLine(
          () => coding.decompress(bytes, { maxOutputLength: readMaxBytes, chunkSize: CHUNK_BYTES }).catch(fail),
          readMaxBytes,
        ));
      throwIfCallIsOver();
      return message;
    },
  };
}

/**
 * Inflates a message in this turn of the event loop or in a later one. Resolves with undefined if the result is large.
 */
async function inflateSmall(
  coding: Coding,
  bytes: Uint8Array,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (bytes.byteLength > MAX_INLINE_CODING_BYTES) return undefined;
  if (!hasTimeInTurn()) await timeInTurn();
  try {
    return coding.decompressSync(bytes, { maxOutputLength: Math.min(maxBytes, MAX_INLINE_CODING_BYTES) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === TOO_LARGE && maxBytes > MAX_INLINE_CODING_BYTES) return undefined;
    throw error;
  }
}

function toDecompressionError(error: unknown, name: string, maxBytes: number): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case TOO_LARGE:
      return new ConnectError(`message is larger than ${maxBytes} bytes after decompression`, Code.ResourceExhausted);
    // A fault of the server: there is no memory left.
    case "Z_MEM_ERROR":
    case "ZSTD_error_memory_allocation":
      return new ConnectError("internal server error", Code.Internal, undefined, undefined, error);
    case "Z_BUF_ERROR":
      return malformed(`${name} data ends too early`, "unparsable", error);
    default:
      return malformed(`malformed ${name} data`, "unparsable", error);
  }
}

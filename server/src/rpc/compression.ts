import { promisify } from "node:util";
import { brotliCompress, brotliDecompress, constants, gunzip, gzip } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { malformed } from "./malformed.ts";

/**
 * Brotli's quality. zlib's default is 11, which takes tens of milliseconds for a
 * page of users: a client that accepts nothing else could stop the server.
 */
const BROTLI_QUALITY = 4;

/** Refuses bytes behind the end, which would be lost. In gzip's format they may be a further member. */
const rejectGarbageAfterEnd = true;

const compressGzip = promisify(gzip);
const decompressGzip = promisify(gunzip);
const compressBrotli = promisify(brotliCompress);
const decompressBrotli = promisify(brotliDecompress);

/** What the server understands and offers, best first. */
export const acceptCompression: Compression[] = [
  createCompression(
    "gzip",
    (bytes) => compressGzip(bytes),
    (bytes, maxOutputLength) => decompressGzip(bytes, { maxOutputLength }),
  ),
  createCompression(
    "br",
    (bytes) => compressBrotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
    (bytes, maxOutputLength) => decompressBrotli(bytes, { maxOutputLength, rejectGarbageAfterEnd }),
  ),
];

/** The names of {@link acceptCompression}, as headers list them. */
export const acceptedEncodings: string = acceptCompression.map(({ name }) => name).join(",");

function createCompression(
  name: string,
  compress: (bytes: Uint8Array) => Promise<Uint8Array<ArrayBuffer>>,
  decompress: (bytes: Uint8Array, maxBytes: number) => Promise<Uint8Array<ArrayBuffer>>,
): Compression {
  return {
    name,
    compress,
    async decompress(bytes, readMaxBytes) {
      // An empty message may be sent with the compressed flag and no bytes.
      if (bytes.byteLength === 0) return new Uint8Array();
      try {
        return await decompress(bytes, readMaxBytes);
      } catch (error) {
        throw toDecompressionError(error, name, readMaxBytes);
      }
    },
  };
}

function toDecompressionError(error: unknown, name: string, maxBytes: number): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ERR_BUFFER_TOO_LARGE":
      return new ConnectError(`message is larger than ${maxBytes} bytes after decompression`, Code.ResourceExhausted);
    // Ours: there is no memory left.
    case "Z_MEM_ERROR":
      return new ConnectError("internal server error", Code.Internal, undefined, undefined, error);
    case "Z_BUF_ERROR":
      return malformed(`${name} data ends too early`, "unparsable", error);
    default:
      return malformed(`malformed ${name} data`, "unparsable", error);
  }
}

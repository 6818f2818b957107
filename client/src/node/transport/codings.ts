import { promisify } from "node:util";
import { brotliCompress, brotliDecompress, constants, gunzip, gzip } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";

/** Coding of messages, as headers name it. */
export type CodingName = "gzip" | "br";

/** Brotli's quality. zlib's default is 11, which takes tens of milliseconds for 10 kB. */
const BROTLI_QUALITY = 4;
/** Code of zlib's error when the output exceeds `maxOutputLength`. */
const TOO_LARGE = "ERR_BUFFER_TOO_LARGE";

const deflateGzip = promisify(gzip);
const deflateBrotli = promisify(brotliCompress);

/** Codings that the client knows, by their names. */
export const codings: Readonly<Record<CodingName, Compression>> = {
  gzip: createCoding("gzip", (bytes) => deflateGzip(bytes), promisify(gunzip)),
  br: createCoding(
    "br",
    (bytes) => deflateBrotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
    promisify(brotliDecompress),
  ),
};

function createCoding(
  name: CodingName,
  compress: (bytes: Uint8Array) => Promise<Uint8Array<ArrayBuffer>>,
  inflate: (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array<ArrayBuffer>>,
): Compression {
  return {
    name,
    compress,
    async decompress(bytes, readMaxBytes) {
      // An empty message may be sent with the compressed flag and no bytes.
      if (bytes.byteLength === 0) return new Uint8Array();
      try {
        return await inflate(bytes, { maxOutputLength: readMaxBytes });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === TOO_LARGE) {
          const text = `message is larger than ${readMaxBytes} bytes after decompression`;
          throw new ConnectError(text, Code.ResourceExhausted);
        }
        throw new ConnectError(`broken response: malformed ${name} data`, Code.Internal, undefined, undefined, error);
      }
    },
  };
}

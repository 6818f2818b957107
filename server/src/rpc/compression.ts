import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";
import type { Compression } from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";

const compress = promisify(brotliCompress);

/**
 * Brotli at quality 4. zlib's default is 11, which takes tens of milliseconds for
 * a page of users: a client that accepts nothing else could stop the server.
 */
const brotli: Compression = {
  ...compressionBrotli,
  compress: async (bytes) => new Uint8Array(await compress(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } })),
};

/** What the server understands and offers, best first. */
export const acceptCompression: Compression[] = [compressionGzip, brotli];

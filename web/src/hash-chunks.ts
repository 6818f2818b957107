import { Code, ConnectError } from "@connectrpc/connect";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/** The size of the messages of an upload, in bytes. */
const CHUNK_BYTES = 256 * 1024;

export interface Hashing {
  /** The file's bytes; none is read before it is asked for. */
  readonly chunks: AsyncIterable<{ chunk: Uint8Array }>;
  /** The SHA-256 of all of them, in lower-case hexadecimal; undefined until they have all been read. */
  checksum(): string | undefined;
}

/**
 * A file in chunks, hashed on the way: the browser's own digest takes only what is
 * in memory as a whole.
 *
 * @param onRead Told how many bytes have been read so far.
 */
export function hashChunks(file: Blob, onRead: (bytes: number) => void): Hashing {
  const hash = sha256.create();
  let checksum: string | undefined;
  async function* read() {
    for (let start = 0; start < file.size; start += CHUNK_BYTES) {
      const chunk = await readBytes(file.slice(start, start + CHUNK_BYTES));
      hash.update(chunk);
      onRead(start + chunk.byteLength);
      yield { chunk };
    }
    checksum = bytesToHex(hash.digest());
  }
  return { chunks: read(), checksum: () => checksum };
}

/** @throws ConnectError when the file was changed or removed since it was chosen. */
async function readBytes(part: Blob): Promise<Uint8Array> {
  try {
    return new Uint8Array(await part.arrayBuffer());
  } catch (cause) {
    throw new ConnectError("the file can't be read any more", Code.FailedPrecondition, undefined, undefined, cause);
  }
}

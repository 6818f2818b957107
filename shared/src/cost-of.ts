/**
 * Bytes that a queued chunk costs in addition to its content. A million chunks of one byte would not be a small queue.
 */
const CHUNK_OVERHEAD_BYTES = 256;

/** Returns the cost of a chunk while it waits in a queue, in bytes. */
export function costOf(chunk: Uint8Array): number {
  return chunk.byteLength + CHUNK_OVERHEAD_BYTES;
}

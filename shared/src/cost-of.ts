/** Bytes that a queued chunk costs beside its own: a million chunks of one byte are no small queue. */
const CHUNK_OVERHEAD_BYTES = 256;

/** Returns what a chunk costs while it waits in a queue, in bytes. */
export function costOf(chunk: Uint8Array): number {
  return chunk.byteLength + CHUNK_OVERHEAD_BYTES;
}

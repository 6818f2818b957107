/** Size of each buffer, in bytes: a message of the usual 64 KiB, and some. */
export const LENT_BUFFER_BYTES = 128 * 1_024;
/** Most buffers that exist: 2 MiB. */
const MAX_BUFFERS = 16;

const free: Uint8Array[] = [];
let lentBuffers = 0;

/**
 * Lends a buffer in which a message is put together; undefined when all are lent. Memory outside of the heap makes the
 * garbage collector run over all of the heap every few dozen megabytes, which took longer than an upload itself.
 */
export function lendBuffer(): Uint8Array | undefined {
  if (lentBuffers >= MAX_BUFFERS) return undefined;
  lentBuffers += 1;
  return free.pop() ?? new Uint8Array(Buffer.allocUnsafeSlow(LENT_BUFFER_BYTES).buffer);
}

/** Takes a buffer back that nobody reads any more. */
export function returnBuffer(buffer: Uint8Array): void {
  lentBuffers -= 1;
  free.push(buffer);
}

/** Gives a lent buffer up, which somebody may still read. Another may be made in its place. */
export function giveUpBuffer(): void {
  lentBuffers -= 1;
}

/** Size of each buffer, in bytes: slightly more than a message of the usual 64 KiB. */
export const LENT_BUFFER_BYTES = 128 * 1_024;
/** Most buffers that exist: 2 MiB. */
const MAX_BUFFERS = 16;

const free: Uint8Array[] = [];
let lentBuffers = 0;

/**
 * Lends a buffer in which a message is assembled; returns undefined when all are lent. Allocating memory outside of the
 * heap makes the garbage collector run over the whole heap every few dozen megabytes, which took longer than an upload
 * itself.
 */
export function lendBuffer(): Uint8Array | undefined {
  if (lentBuffers >= MAX_BUFFERS) return undefined;
  lentBuffers += 1;
  return free.pop() ?? new Uint8Array(Buffer.allocUnsafeSlow(LENT_BUFFER_BYTES).buffer);
}

/** Takes back a buffer that nobody reads any more. */
export function returnBuffer(buffer: Uint8Array): void {
  lentBuffers -= 1;
  free.push(buffer);
}

/** Gives up a lent buffer that somebody may still read. A new one may be created in its place. */
export function giveUpBuffer(): void {
  lentBuffers -= 1;
}

/** Returns `grpc-status` of trailers: the digit is not encoded, and follows its length, 1. */
export function statusIn(block: Buffer = Buffer.alloc(0)): number {
  const at = block.findLastIndex((byte, index) => byte === 1 && /\d/.test(String.fromCharCode(block[index + 1] ?? 0)));
  return at === -1 ? Number.NaN : Number(String.fromCharCode(block[at + 1] ?? 0));
}

/** Returns whether a body is a stream of bytes. It is, unless a framework has parsed it. */
export function isByteStream(body: unknown): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

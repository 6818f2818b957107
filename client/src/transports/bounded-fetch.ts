import { Code, ConnectError } from "@connectrpc/connect";

/** Bytes before each message of an enveloped answer: flags, then the size. */
const HEAD_BYTES = 5;
/** Flags of the last envelope, by gRPC-Web and Connect. It has the trailers, among them the error. */
const END_FLAGS = 0x82;
/** Largest last envelope, if messages may not be as large, in bytes. */
const MAX_END_BYTES = 64 * 1024;

/**
 * Wraps a `fetch` to end an answer with resource_exhausted when one of its messages is larger than this. Its size is
 * known before its bytes are read if the answer is a stream or by gRPC-Web.
 */
export function boundedFetch(fetch: typeof globalThis.fetch, maxBytes: number): typeof globalThis.fetch {
  return async (...call) => {
    const response = await fetch(...call);
    if (!response.ok || !response.body) return response;
    const isEnveloped = /^application\/(?:connect\+|grpc)/.test(response.headers.get("content-type") ?? "");
    const check = isEnveloped ? checkEnvelopes(maxBytes) : checkSum(maxBytes);
    const body = response.body.pipeThrough(
      new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
        transform(bytes, controller) {
          check(bytes);
          controller.enqueue(bytes);
        },
      }),
    );
    return new Response(body, response);
  };
}

function checkSum(maxBytes: number): (bytes: Uint8Array) => void {
  let size = 0;
  return ({ byteLength }) => {
    size += byteLength;
    checkSize(size, maxBytes);
  };
}

function checkEnvelopes(maxBytes: number): (bytes: Uint8Array) => void {
  let headBytes = 0;
  let flags = 0;
  let size = 0;
  /** Bytes that are left of the message. */
  let left = 0;
  return (bytes) => {
    for (let at = 0; at < bytes.byteLength; ) {
      if (left > 0) {
        const read = Math.min(left, bytes.byteLength - at);
        left -= read;
        at += read;
        continue;
      }
      const byte = bytes[at++] ?? 0;
      if (headBytes++ === 0) flags = byte;
      else size = size * 256 + byte;
      if (headBytes < HEAD_BYTES) continue;
      checkSize(size, flags & END_FLAGS ? Math.max(maxBytes, MAX_END_BYTES) : maxBytes);
      left = size;
      headBytes = 0;
      size = 0;
    }
  };
}

function checkSize(size: number, maxBytes: number): void {
  if (size <= maxBytes) return;
  throw new ConnectError(
    `message size ${size} is larger than configured readMaxBytes ${maxBytes}`,
    Code.ResourceExhausted,
  );
}

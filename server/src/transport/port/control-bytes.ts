import type { Socket } from "node:net";
import type { ConnectionGuard } from "./connection-guard.ts";

/** Bytes that a stream may bring beside its body: its header, and what was under way when it was refused. */
const STREAM_BYTES = 64 * 1_024;
/** Bytes of frames and TLS records for each byte of a body in the smallest pieces that are not tiny. */
const FRAMES_PER_BODY_BYTE = 8;

/**
 * Counts what a connection over HTTP/2 receives that is neither header nor body, from one look to the next: control
 * frames, beyond as many bytes as it sends itself.
 *
 * @param begunStreams Returns the number of streams since the connection began.
 * @returns Function to call at each look.
 */
export function countControlBytes(socket: Socket, guard: ConnectionGuard, begunStreams: () => number): () => number {
  const explained = () => {
    const body = guard.arrivedBytes * (1 + FRAMES_PER_BODY_BYTE);
    return body + socket.bytesWritten + begunStreams() * STREAM_BYTES;
  };
  let seen = 0;
  return () => {
    const surplus = socket.bytesRead - explained();
    const sinceLast = surplus - seen;
    seen = surplus;
    return sinceLast;
  };
}

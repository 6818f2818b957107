import { constants, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { PING_STRIKES } from "../../limits.ts";

/** A PING and its answer: a frame's header and eight bytes. */
const PING_BYTES = 17;
/** Words by which gRPC clients know the reason, and keep alive less often from then on (gRFC A8). */
const TOO_MANY_PINGS = Buffer.from("too_many_pings");

/**
 * Ends a session whose client sends PINGs too often (gRFC A8): on a connection where nothing happens, more than two that
 * come within `minIntervalMs` of the one before. A new stream, or anything that the server sends beside its answers,
 * forgives what was, so that clients may measure the line while it is in use.
 *
 * @param onEnd Called before the session ends.
 */
export function strikePings(
  session: ServerHttp2Session,
  socket: Socket,
  minIntervalMs: number,
  onEnd: () => void,
): void {
  let strikes = 0;
  let pings = 0;
  let lastAtMs = Number.NEGATIVE_INFINITY;
  /** Most that was sent beside answers to PINGs at one of them, in bytes. Answers that have not left yet are none. */
  let sentBytes = 0;
  let isForgiven = false;
  session.on("stream", () => {
    isForgiven = true;
  });
  session.on("ping", () => {
    const nowMs = performance.now();
    const isEarly = nowMs - lastAtMs < minIntervalMs;
    const bytes = socket.bytesWritten - PING_BYTES * pings;
    if (isForgiven || bytes > sentBytes) strikes = 0;
    else if (isEarly) strikes += 1;
    isForgiven = false;
    sentBytes = Math.max(sentBytes, bytes);
    pings += 1;
    lastAtMs = nowMs;
    if (strikes <= PING_STRIKES || session.destroyed) return;
    onEnd();
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, TOO_MANY_PINGS);
    session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });
}

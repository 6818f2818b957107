import type { ServerHttp2Session } from "node:http2";
import type { ConnectionGuard } from "./connection-guard.ts";

/** Bytes that each stream may send before it is read, at first: 8 MiB for 256 streams. */
export const SMALL_WINDOW_BYTES = 32 * 1_024;
/** The same for an upload of a known client. This decides upload speed. */
const LARGE_WINDOW_BYTES = 1024 ** 2;
/** Streams that may have large windows at once: 8 MiB together. */
const MAX_LARGE_STREAMS = 8;
/** Bytes that a connection has to send before it gets large windows. Most never need them. */
const UPLOAD_BYTES = 16 * 1_024;
/** Time between a change and the next enlargement. */
const CHANGE_INTERVAL_MS = 1_000;

/**
 * Gives a session's streams large windows while its client is known, uploads, and has few streams open. A window is
 * memory that a client may fill. Node.js has no bound for a connection's streams together, since it gives the
 * connection's window back as bytes arrive.
 *
 * @param timeoutMs For the client to acknowledge a change, in milliseconds; then the session is destroyed.
 * @returns Function to call when the number of open streams has changed.
 */
export function boundWindows(
  session: ServerHttp2Session,
  guard: ConnectionGuard,
  timeoutMs: number,
  openStreams: () => number,
): () => void {
  let isLarge = false;
  let changedAtMs = Number.NEGATIVE_INFINITY;
  const change = (toLarge: boolean) => {
    isLarge = toLarge;
    changedAtMs = performance.now();
    const timer = setTimeout(() => session.destroy(), timeoutMs);
    const initialWindowSize = toLarge ? LARGE_WINDOW_BYTES : SMALL_WINDOW_BYTES;
    session.settings({ initialWindowSize }, () => clearTimeout(timer));
  };
  const adjust = () => {
    if (session.destroyed || session.closed) return;
    const streams = openStreams();
    if (isLarge && streams > MAX_LARGE_STREAMS) change(false);
    else if (
      !isLarge &&
      guard.isAdmitted &&
      guard.arrivedBytes >= UPLOAD_BYTES &&
      streams <= MAX_LARGE_STREAMS / 2 &&
      performance.now() - changedAtMs > CHANGE_INTERVAL_MS
    ) {
      change(true);
    }
  };
  guard.onUpload = adjust;
  return adjust;
}

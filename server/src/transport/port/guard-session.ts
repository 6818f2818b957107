import { constants, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { ConnectionLimits } from "../../limits.ts";
import type { ConnectionGuard } from "./connection-guard.ts";
import type { ControlBytes } from "./control-bytes.ts";
import { headerListSize } from "./raw-headers.ts";
import { boundWindows } from "./stream-windows.ts";

/**
 * Watches an HTTP/2 session for its guard: headers, resets, and how long the client takes. Node.js has no timer for an
 * HTTP/2 header, and reports no incomplete one.
 *
 * @param limits `handshakeTimeoutMs` is for the first request's header, from the session's start, and for any other's.
 * @returns Function that returns the number of open streams.
 */
export function guardSession(
  session: ServerHttp2Session,
  socket: Socket,
  guard: ConnectionGuard,
  { handshakeTimeoutMs: headerTimeoutMs }: Pick<ConnectionLimits, "handshakeTimeoutMs">,
  controlBytes: ControlBytes,
): () => number {
  let openStreams = 0;
  let begunStreams = 0;
  const adjustWindows = boundWindows(session, guard, headerTimeoutMs, () => openStreams);
  controlBytes.watch(socket, guard, () => begunStreams);
  boundHeaderTime(session, socket, headerTimeoutMs, () => openStreams);
  // Runs ahead of the listener that begins the request.
  session.prependListener("stream", (stream, _headers, _flags, rawHeaders) => {
    openStreams += 1;
    begunStreams += 1;
    if (!guard.isAdmitted) guard.onHeader(headerListSize(rawHeaders));
    adjustWindows();
    stream.on("close", onClose);
  });
  // One function for all streams: a closed stream stays in memory for a while, with everything that its listeners hold.
  function onClose(this: ServerHttp2Stream): void {
    openStreams -= 1;
    if (!session.destroyed && this.rstCode !== constants.NGHTTP2_NO_ERROR) guard.onReset();
    adjustWindows();
  }
  return () => openStreams;
}

/**
 * Closes a session that has had no request in time. Also closes one whose client, with no stream open, has sent
 * something and then nothing that completes it: within a header a client can't answer a PING (RFC 9113, 4.3). The
 * socket is destroyed with the session; Node.js would wait for the client to close it, or to read.
 */
function boundHeaderTime(
  session: ServerHttp2Session,
  socket: Socket,
  timeoutMs: number,
  openStreams: () => number,
): void {
  let hadRequest = false;
  let hasEnded = false;
  let isPinged = false;
  let seenBytes = 0;
  session.once("stream", () => {
    hadRequest = true;
  });
  const firstRequest = setTimeout(() => {
    if (!hadRequest) session.close();
  }, timeoutMs);
  // Looks twice within the timeout: the first look finds that bytes have arrived, the second that nothing has come of
  // them.
  const looks = setInterval(() => {
    if (hasEnded || (isPinged && openStreams() === 0)) socket.destroy();
    hasEnded = (session.closed || session.destroyed) && openStreams() === 0;
    if (!hadRequest || hasEnded || openStreams() > 0 || socket.bytesRead === seenBytes) return;
    seenBytes = socket.bytesRead;
    isPinged = session.ping(() => {
      isPinged = false;
      seenBytes = socket.bytesRead;
    });
  }, timeoutMs / 2);
  socket.once("close", () => {
    clearTimeout(firstRequest);
    clearInterval(looks);
  });
}

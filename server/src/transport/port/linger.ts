import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { MAX_DROPPED_BYTES, MAX_LINGER_MS } from "../../limits.ts";

const CHECK_INTERVAL_MS = 100;

const lingering = new WeakSet<Duplex>();

/** Returns whether a connection has had its last answer, and is read only so that the answer arrives. */
export function isLingering(socket: Duplex): boolean {
  return lingering.has(socket);
}

/**
 * Ends a connection whose client may still be sending. If it were closed, the client's next bytes would reset it, and
 * the client could lose an answer that it has not read (RFC 9112, 9.6). So only its writing half is closed, and what
 * the client sends is read and dropped, up to `MAX_DROPPED_BYTES` and for `MAX_LINGER_MS` at most.
 *
 * @param isComplete Returns whether everything has arrived that the client was sending.
 */
export function linger(socket: Socket, isComplete: () => boolean): void {
  if (lingering.has(socket) || socket.destroyed) return;
  lingering.add(socket);
  socket.end();
  const startedMs = performance.now();
  const { bytesRead } = socket;
  const timer = setInterval(() => {
    const isOver = performance.now() - startedMs >= MAX_LINGER_MS || socket.bytesRead - bytesRead > MAX_DROPPED_BYTES;
    if (isOver) socket.destroy();
    else if (isComplete()) Socket.prototype.destroySoon.call(socket);
  }, CHECK_INTERVAL_MS);
  socket.once("close", () => clearInterval(timer));
}

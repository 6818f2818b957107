import { writeSync } from "node:fs";
import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/** GOAWAY with the highest stream there can be, and no error: start nothing new, all that you have sent is served. */
const GOAWAY = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
/** For the client to answer the PING behind the first GOAWAY; then the second is sent regardless. */
const ANNOUNCE_TIMEOUT_MS = 1_000;
const RETRY_MS = 5;

/**
 * Closes an HTTP/2 session without losing a call that its client has sent in good
 * faith: one GOAWAY says to start no more streams, a PING shows that the client has
 * read it, and a second GOAWAY then names the last stream (RFC 9113, 6.8; gRFC A9).
 *
 * Node has no call for the first one: after `session.goaway` it ignores new
 * streams, whatever number that named. So the frame is written past the session.
 *
 * @param socket The session's own, below its proxy.
 */
export function drainSession(session: ServerHttp2Session, socket: Socket): void {
  const finish = () => {
    clearTimeout(timer);
    clearTimeout(retry);
    if (!session.destroyed && !session.closed) session.close();
  };
  const timer = setTimeout(finish, ANNOUNCE_TIMEOUT_MS);
  let retry: NodeJS.Timeout | undefined;
  const announce = () => {
    if (session.destroyed || session.closed || socket.destroyed) return finish();
    // The first frame of all is the session's SETTINGS.
    if (socket.bytesWritten > 0 && writeBetweenFrames(socket, GOAWAY)) session.ping(finish);
    else retry = setTimeout(announce, RETRY_MS);
  };
  session.once("close", finish);
  announce();
}

/**
 * What an HTTP/2 session is to be given in place of a TLS socket, so that others can
 * write to the socket too. A session writes past JavaScript to a socket that has a
 * handle, and aborts the process when a write ends that it did not begin.
 */
export function shareTlsSocket(socket: TLSSocket): TLSSocket {
  const methods = new Map<PropertyKey, unknown>();
  return new Proxy(socket, {
    get(target, name) {
      if (name === "_handle") return undefined;
      const known = methods.get(name);
      if (known) return known;
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      const method: unknown = value.bind(target);
      methods.set(name, method);
      return method;
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  });
}

/** Tells a session, which can't ask a socket without a handle, who is at the other end. */
export function describePeer(session: ServerHttp2Session, socket: TLSSocket): void {
  const { remoteAddress: address, remotePort: port, remoteFamily: family } = socket;
  Object.assign(session.socket, { _peername: { address, port, family }, encrypted: true });
}

/**
 * Writes a whole frame of HTTP/2 between two of the session's.
 *
 * @returns Whether it was written; false while an earlier write has not left.
 */
function writeBetweenFrames(socket: Socket, frame: Buffer): boolean {
  if (socket instanceof TLSSocket) {
    socket.write(frame);
    return true;
  }
  // The session writes whole frames, so where nothing is left of its writes there is no
  // frame half-way. A write through the handle would be reported to the session.
  const { fd = -1, writeQueueSize = 1 } = (socket as SocketWithHandle)._handle ?? {};
  if (fd < 0 || writeQueueSize > 0) return false;
  try {
    // A kernel that takes a part of 17 bytes has no room, for a client that does not read.
    if (writeSync(fd, frame) < frame.byteLength) socket.destroy();
    return true;
  } catch {
    return false;
  }
}

/** What libuv knows of a plaintext socket; there is no descriptor on Windows. */
type SocketWithHandle = Socket & { _handle?: { readonly fd?: number; readonly writeQueueSize?: number } | null };

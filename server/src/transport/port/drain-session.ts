import { writeSync } from "node:fs";
import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/** GOAWAY with the highest stream there can be, and no error: start nothing new, all that you have sent is served. */
const GOAWAY = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
const PING_BYTES = 17;
/** For a moment to come in which the client has read all that was sent; then it is told to go away regardless. */
const QUIET_TIMEOUT_MS = 1_000;
/** From then on, for the client to answer two PINGs; then the second GOAWAY is sent regardless. */
const ANSWER_TIMEOUT_MS = 1_000;
/** For what a client's own GOAWAY has overtaken to arrive, from the same write. */
const AFTER_GOAWAY_MS = 20;
const RETRY_MS = 5;

/**
 * Closes an HTTP/2 session without losing a call that its client has sent in good
 * faith: one GOAWAY says to start no more streams, PINGs show that the client has
 * read it, and a second GOAWAY then names the last stream (RFC 9113, 6.8; gRFC A9).
 *
 * Node has no call for the first one: after `session.goaway` it ignores new
 * streams, whatever number that named. So the frame is written past the session.
 *
 * Clients built on nghttp2, Node's own among them, refuse the calls that they have
 * queued when they read a GOAWAY. An answer in the same read lets its caller queue
 * the next call just then, so the frame waits until the client has read all answers.
 *
 * @param socket The session's own, below its proxy.
 */
export function drainSession(session: ServerHttp2Session, socket: Socket): void {
  const isOver = () => session.destroyed || session.closed || socket.destroyed;
  // Such a client may also answer with a GOAWAY of its own, which overtakes calls that it
  // has queued. On that, Node would close the session at once, and refuse them.
  const close = session.close.bind(session);
  session.close = () => {
    goneTimer ??= setTimeout(finish, AFTER_GOAWAY_MS);
  };
  let timer = setTimeout(() => announce(), QUIET_TIMEOUT_MS);
  let goneTimer: NodeJS.Timeout | undefined;
  let retry: NodeJS.Timeout | undefined;
  const finish = () => {
    for (const timeout of [timer, goneTimer, retry]) clearTimeout(timeout);
    session.close = close;
    if (!isOver()) close();
  };
  const ping = (onAnswer: () => void) => {
    if (isOver() || !session.ping(onAnswer)) finish();
  };
  let isAnnounced = false;
  const announce = () => {
    if (isAnnounced) return;
    if (isOver() || !writeBetweenFrames(socket, GOAWAY)) return finish();
    isAnnounced = true;
    clearTimeout(timer);
    timer = setTimeout(finish, ANSWER_TIMEOUT_MS);
    // A PING's answer overtakes what the client has queued; the second comes behind all that.
    ping(() => ping(finish));
  };
  const awaitQuiet = () => {
    if (isAnnounced || isOver()) return;
    const { bytesWritten } = socket;
    // The first frame of all is the session's SETTINGS.
    if (bytesWritten === 0) {
      retry = setTimeout(awaitQuiet, RETRY_MS);
      return;
    }
    ping(() => {
      if (socket.bytesWritten === bytesWritten + PING_BYTES) announce();
      else awaitQuiet();
    });
  };
  session.once("close", finish);
  awaitQuiet();
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

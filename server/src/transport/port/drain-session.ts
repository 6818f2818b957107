import { writeSync } from "node:fs";
import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/**
 * GOAWAY with the highest possible stream number and no error. It means: start nothing new, everything already sent is
 * served.
 */
const GOAWAY = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
const PING_BYTES = 17;
/**
 * How long to wait for a moment when the client has read everything sent. After that, GOAWAY is sent anyway. A connection
 * that is only old, with a server that goes on, may wait for longer.
 */
const QUIET_TIMEOUT_MS = 1_000;
export const QUIET_TIMEOUT_OF_AGED_MS = 10_000;
/** How often to look for that moment once it has not come for a second. */
const LATE_LOOK_MS = 50;
/**
 * How long the client then has to answer two PINGs. After that, the second GOAWAY is sent anyway, and calls under way
 * are refused: a client on a busy machine needs seconds.
 */
const ANSWER_TIMEOUT_MS = 4_000;
/** Time for calls to arrive that the client's own GOAWAY has overtaken in the same write. */
const AFTER_GOAWAY_MS = 20;
const RETRY_MS = 5;

/**
 * Closes an HTTP/2 session without losing a call that its client has sent in good faith. A first GOAWAY asks the client
 * to start no more streams, PINGs show that the client has read it, and a second GOAWAY names the last stream (RFC
 * 9113, 6.8; gRFC A9).
 *
 * Node can't send the first one: after `session.goaway` it ignores new streams, whatever number the frame named. So the
 * frame is written past the session.
 *
 * Clients built on nghttp2, Node's own among them, refuse the calls that they have queued when they read a GOAWAY. If
 * an answer arrives in the same read, its caller may queue the next call just then. So the frame waits until the client
 * has read all answers.
 *
 * @param socket The session's own socket, below its proxy.
 */
export function drainSession(session: ServerHttp2Session, socket: Socket, quietTimeoutMs = QUIET_TIMEOUT_MS): void {
  const startedAtMs = performance.now();
  const isOver = () => session.destroyed || session.closed || socket.destroyed;
  // Such a client may also answer with a GOAWAY of its own, which overtakes calls that it has queued. Node would then
  // close the session at once and refuse those calls.
  const close = session.close.bind(session);
  session.close = () => {
    goneTimer ??= setTimeout(finish, AFTER_GOAWAY_MS);
  };
  let timer = setTimeout(() => announce(), quietTimeoutMs);
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
    // The answer to a PING overtakes calls that the client has queued. The answer to a second PING comes after them.
    ping(() => ping(finish));
  };
  const awaitQuiet = () => {
    if (isAnnounced || isOver()) return;
    const { bytesWritten } = socket;
    // Wait until the session has sent its SETTINGS, which have to be its first frame.
    if (bytesWritten === 0) {
      retry = setTimeout(awaitQuiet, RETRY_MS);
      return;
    }
    ping(() => {
      if (socket.bytesWritten === bytesWritten + PING_BYTES) announce();
      else if (performance.now() - startedAtMs < QUIET_TIMEOUT_MS) awaitQuiet();
      else retry = setTimeout(awaitQuiet, LATE_LOOK_MS);
    });
  };
  session.once("close", finish);
  awaitQuiet();
}

/**
 * Wraps a TLS socket for an HTTP/2 session, so that others can write to the socket too. Given a socket with a handle, a
 * session writes past JavaScript, and aborts the process when a write ends that it did not begin.
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

/** Gives a session the peer's address, which it can't read from a socket without a handle. */
export function describePeer(session: ServerHttp2Session, socket: TLSSocket): void {
  const { remoteAddress: address, remotePort: port, remoteFamily: family } = socket;
  Object.assign(session.socket, { _peername: { address, port, family }, encrypted: true });
}

/**
 * Writes a whole HTTP/2 frame between two of the session's own.
 *
 * @returns Whether it was written; false while an earlier write has not left.
 */
function writeBetweenFrames(socket: Socket, frame: Buffer): boolean {
  if (socket instanceof TLSSocket) {
    socket.write(frame);
    return true;
  }
  // The session writes whole frames, so no frame is half-written when its queue is empty. The frame goes to the
  // descriptor, since the session would be notified of a write through the handle.
  const { fd = -1, writeQueueSize = 1 } = (socket as SocketWithHandle)._handle ?? {};
  if (fd < 0 || writeQueueSize > 0) return false;
  try {
    // If the kernel takes only a part of 17 bytes, its buffer is full because the client does not read.
    if (writeSync(fd, frame) < frame.byteLength) socket.destroy();
    return true;
  } catch {
    return false;
  }
}

/** Internals of libuv's plaintext socket; Windows has no descriptor. */
type SocketWithHandle = Socket & { _handle?: { readonly fd?: number; readonly writeQueueSize?: number } | null };

import type { ServerHttp2Session } from "node:http2";

/** Time for the answer to a PING. A client that takes longer counts as gone. */
const PING_TIMEOUT_MS = 20_000;

/**
 * Closes an HTTP/2 connection that has had no stream for `idleTimeoutMs`. With streams open and the client silent for
 * as long, sends a PING, and closes the connection if no answer comes. Quiet streams of a live client stay open.
 *
 * @param openStreams Returns the number of streams that are open.
 */
export function keepSessionAlive(session: ServerHttp2Session, idleTimeoutMs: number, openStreams: () => number): void {
  session.on("timeout", () => {
    if (openStreams() === 0) return session.close();
    session.setTimeout(idleTimeoutMs);
    const timer = setTimeout(() => session.destroy(), PING_TIMEOUT_MS);
    const stop = () => clearTimeout(timer);
    session.once("close", stop);
    session.ping(() => {
      stop();
      session.off("close", stop);
    });
  });
  session.setTimeout(idleTimeoutMs);
  session.once("close", () => stopTimeout(session));
}

/**
 * Stops the timeout of a session that has been destroyed. Node.js 26 tries to, but `setTimeout` does nothing on a
 * destroyed session, so its timer would keep the session, and all that it refers to, until it fires.
 */
function stopTimeout(session: ServerHttp2Session): void {
  const living: ServerHttp2Session = Object.create(session, { destroyed: { value: false } });
  living.setTimeout(0);
}

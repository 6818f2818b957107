import type { ServerHttp2Session } from "node:http2";

/** For the answer to a PING; a client that is slower has gone. */
const PING_TIMEOUT_MS = 20_000;

/**
 * Closes an HTTP/2 connection that has had no stream for `idleTimeoutMs`, and one
 * whose client, silent for as long with streams open, does not answer a PING.
 * Quiet streams of a client that is there stay open.
 */
export function keepSessionAlive(session: ServerHttp2Session, idleTimeoutMs: number): void {
  let openStreams = 0;
  session.on("stream", (stream) => {
    openStreams += 1;
    stream.once("close", () => {
      openStreams -= 1;
    });
  });
  session.on("timeout", () => {
    if (openStreams === 0) return session.close();
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
 * Stops the timeout of a session that has been destroyed. Node.js 26 tries to, but `setTimeout` does nothing for one
 * that is destroyed already, so its timer would keep the session, and all that it refers to, until it fires.
 */
function stopTimeout(session: ServerHttp2Session): void {
  const living: ServerHttp2Session = Object.create(session, { destroyed: { value: false } });
  living.setTimeout(0);
}

import type { ServerHttp2Session } from "node:http2";

/** Part of its age by which a connection's end varies, so that clients who came together do not come back together. */
const JITTER = 0.1;

/** Returns the time for which a new connection takes calls, in milliseconds: the age, give or take a tenth. */
export function lifetimeOf(maxAgeMs: number): number {
  return maxAgeMs * (1 - JITTER + 2 * JITTER * Math.random());
}

/** Calls `retire` when a session has come to its age. */
export function retireAtAge(session: ServerHttp2Session, maxAgeMs: number, retire: () => void): void {
  const timer = setTimeout(retire, lifetimeOf(maxAgeMs)).unref();
  session.once("close", () => clearTimeout(timer));
}

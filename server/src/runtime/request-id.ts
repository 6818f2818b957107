import { randomUUID } from "node:crypto";

/** Printable ASCII without spaces or quotes: safe in a header, a log line and a shell. */
const VALID = /^[\w.:/+=@-]{1,128}$/;

/** Room for a UUID as text. */
const text = Buffer.alloc(36);

/** Returns the caller's `x-request-id` if it is valid, else a new one. */
export function requestIdFrom(header: string | string[] | undefined): string {
  return typeof header === "string" && VALID.test(header) ? header : newRequestId();
}

/**
 * Creates a UUID of version 4, as one flat string. Node.js joins it from many small strings, which stay in memory as
 * long as it does, and there is one for each call.
 */
function newRequestId(): string {
  text.write(randomUUID(), "latin1");
  return text.toString("latin1");
}

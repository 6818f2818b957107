import { randomUUID } from "node:crypto";

/** Printable ASCII without spaces or quotes: safe in a header, a log line and a shell. */
const VALID = /^[\w.:/+=@-]{1,128}$/;

/** Returns the caller's `x-request-id` if it is valid, else a new one. */
export function requestIdFrom(header: string | string[] | undefined): string {
  return typeof header === "string" && VALID.test(header) ? header : randomUUID();
}

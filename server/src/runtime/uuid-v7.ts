import { randomUUID } from "node:crypto";

/** Creates a UUID of version 7 (RFC 9562, 5.7): the time in milliseconds, then random bits. Node.js 22 has no function for it. */
export function randomUuidV7(): string {
  const time = Date.now().toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

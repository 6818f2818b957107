import type { Socket } from "node:net";
import { readHead } from "./read-head.ts";

/** First bytes of every HTTP/2 client; no HTTP/1.1 client can send them (RFC 9113, 3.4). */
const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/**
 * Reads a plaintext connection's first bytes, puts them back, and reports whether they begin HTTP/2. Closes the
 * connection if that is not clear within `timeoutMs`.
 *
 * `accept` runs in the same turn of the event loop as the last read, so that nothing that arrives later is missed.
 */
export function acceptPlaintext(socket: Socket, timeoutMs: number, accept: (isHttp2: boolean) => void): void {
  readHead(socket, timeoutMs, (head) => {
    const length = Math.min(head.length, HTTP2_PREFACE.length);
    const matches = head.compare(HTTP2_PREFACE, 0, length, 0, length) === 0;
    // Undecided yet. No complete HTTP/1.1 request is a part of the preface, so such a client sends more.
    if (matches && length < HTTP2_PREFACE.length) return undefined;
    return () => {
      // An HTTP/2 connection ends in both directions at once (RFC 9113, 9.1).
      if (matches) socket.allowHalfOpen = false;
      socket.unshift(head);
      accept(matches);
    };
  });
}

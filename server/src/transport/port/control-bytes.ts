import type { Socket } from "node:net";
import { CONNECTION_WINDOW_BYTES, CONTROL_BYTES_OF_ANY, CONTROL_LOOK_INTERVAL_MS } from "../../limits.ts";
import type { ConnectionGuard } from "./connection-guard.ts";

/** Bytes that a stream may bring beside its body: its header, and what was under way when it was refused. */
const STREAM_BYTES = 64 * 1_024;
/** Bytes of frames and TLS records for each byte of a body in the smallest pieces that are not tiny. */
const FRAMES_PER_BODY_BYTE = 8;
/**
 * Bytes that a client may send for each byte that it gets. Clients open a window when half of it is used up, or a
 * quarter: thousands of bytes for the 13 of a frame. One that opens it byte by byte sends 13 for each 10 of a frame with
 * one byte.
 */
const BYTES_PER_SENT_BYTE = 1 / 2;
/**
 * Bytes by which a connection may be ahead: those of uploads that were ended while they were under way come behind, and
 * nobody counts them as bodies.
 */
const MAX_CREDIT_BYTES = CONNECTION_WINDOW_BYTES;

/**
 * Counts what connections over HTTP/2 receive that is neither header nor body: control frames, beyond those that answer
 * what the server sends. Node.js tells a server nothing of a WINDOW_UPDATE, so their bytes are looked at from time to time.
 */
export class ControlBytes {
  readonly #looks = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  /** Counts those of a connection until it closes. @param begunStreams Returns the number of its streams so far. */
  watch(socket: Socket, guard: ConnectionGuard, begunStreams: () => number): void {
    let seen = 0;
    let credit = 0;
    const look = () => {
      const body = guard.arrivedBytes * (1 + FRAMES_PER_BODY_BYTE);
      const explained = body + socket.bytesWritten * BYTES_PER_SENT_BYTE + begunStreams() * STREAM_BYTES;
      const surplus = socket.bytesRead - explained;
      const bytes = surplus - seen - credit;
      seen = surplus;
      credit = Math.min(MAX_CREDIT_BYTES, Math.max(0, -bytes));
      if (bytes > CONTROL_BYTES_OF_ANY) guard.onControlBytes(bytes);
    };
    this.#looks.add(look);
    this.#timer ??= setInterval(() => {
      for (const each of this.#looks) each();
    }, CONTROL_LOOK_INTERVAL_MS).unref();
    socket.once("close", () => {
      this.#looks.delete(look);
      if (this.#looks.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
  }
}

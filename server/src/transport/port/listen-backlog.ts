import type net from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";

/** Longest wait. After that the listener closes, even if clients are waiting. */
const TIMEOUT_MS = 2_000;
/** Longest turn of the event loop that counts as short, in milliseconds: at first, and the time in which it doubles. */
const SHORT_TURN_MS = 0.1;
const DOUBLING_MS = 100;

/** libuv's side of a listener. */
type ServerWithHandle = net.Server & { _handle?: { listen?(backlog: number): number } | null };

/**
 * Makes the kernel queue only one connection at a time for a listener, where Node's listener can. Other clients try
 * again after a second and are then refused, so the queue empties even when many come.
 */
export function shrinkBacklog(listener: net.Server): void {
  (listener as ServerWithHandle)._handle?.listen?.(0);
}

/**
 * Resolves when no connection waits in the kernel to be accepted, as far as can be known. When a listener closes, the
 * kernel resets those that wait, and their clients may have sent a request.
 *
 * Node accepts one connection a turn of the event loop. A turn that accepts none means that none was waiting; the
 * shorter that turn, the fewer can have come since.
 *
 * @param accepted Returns how many connections have been accepted.
 */
export async function untilNobodyWaits(accepted: () => number): Promise<void> {
  const startedAtMs = performance.now();
  for (let turnStartedAtMs = startedAtMs; turnStartedAtMs - startedAtMs < TIMEOUT_MS; ) {
    const acceptedBefore = accepted();
    await nextTurn();
    const nowMs = performance.now();
    const shortMs = SHORT_TURN_MS * 2 ** ((nowMs - startedAtMs) / DOUBLING_MS);
    if (accepted() === acceptedBefore && nowMs - turnStartedAtMs < shortMs) return;
    turnStartedAtMs = nowMs;
  }
}

import type net from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";

/** How long it may take at most; then the listener closes on whoever waits. */
const TIMEOUT_MS = 2_000;
/** How short a turn of the event loop has to be at first, and after how long twice that will do. In milliseconds. */
const SHORT_TURN_MS = 0.1;
const DOUBLING_MS = 100;

/** What libuv has of a listener. */
type ServerWithHandle = net.Server & { _handle?: { listen?(backlog: number): number } | null };

/**
 * Lets the kernel take no more connections for a listener than one at a time, where
 * Node's listener has that. Clients that come in the meantime try again after a
 * second, and are then refused: so it gets quiet even where many come.
 */
export function shrinkBacklog(listener: net.Server): void {
  (listener as ServerWithHandle)._handle?.listen?.(0);
}

/**
 * Resolves when no connection waits in the kernel to be accepted, as far as that can
 * be known. The kernel resets those that wait for a listener that closes, and their
 * clients may have sent a request.
 *
 * Node accepts one connection a turn of the event loop, and tells of the end by
 * accepting none; the shorter that turn, the fewer can have come since.
 *
 * @param accepted How many connections have been accepted.
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

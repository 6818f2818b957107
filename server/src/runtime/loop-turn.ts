import { setImmediate as immediate } from "node:timers/promises";

/** How long what clients send may keep the event loop, all of them together, before others get a turn. In milliseconds. */
const MAX_HOLD_MS = 10;

/** When this turn's first work began; monotonic, in milliseconds. */
let startedAtMs: number | undefined;

/**
 * Whether this turn of the event loop has been held for long enough. Whoever can
 * find endless work in what has arrived asks between its pieces, and then lets the
 * loop turn. There is one clock for all: many who each take a little would hold the
 * loop as well as one.
 */
export function isTurnOver(): boolean {
  const nowMs = performance.now();
  if (startedAtMs === undefined) {
    startedAtMs = nowMs;
    setImmediate(() => {
      startedAtMs = undefined;
    });
  }
  return nowMs - startedAtMs > MAX_HOLD_MS;
}

/** Resolves when timers and sockets have had their turn. */
export function nextTurn(): Promise<void> {
  return immediate();
}

/** Of those in the queue that go on in one turn: each may hold it for as long as one piece of its work takes. */
const MAX_RESUMED = 2;
const queue: (() => void)[] = [];

/** Calls back in a later turn, one that is shared with few: for who would go on with more than a piece. */
export function queueForTurn(goOn: () => void): void {
  if (queue.push(goOn) === 1) setImmediate(resumeSome);
}

function resumeSome(): void {
  for (const goOn of queue.splice(0, MAX_RESUMED)) goOn();
  if (queue.length > 0) setImmediate(resumeSome);
}

/** Resolves in a later turn, one that is shared with few: between two pieces of long work. */
export function nextSharedTurn(): Promise<void> {
  return new Promise(queueForTurn);
}

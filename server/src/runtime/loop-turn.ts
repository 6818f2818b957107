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
export function isTurnOver(maxHoldMs = MAX_HOLD_MS): boolean {
  const nowMs = performance.now();
  if (startedAtMs === undefined) {
    startedAtMs = nowMs;
    setImmediate(() => {
      startedAtMs = undefined;
    });
  }
  return nowMs - startedAtMs > maxHoldMs;
}

/** Short work begins while a turn is younger: what it leads to, such as encoding an answer, is in the same turn. In milliseconds. */
const MAX_AGE_FOR_SHORT_WORK_MS = 4;
let waiting = 0;

/**
 * Whether a short piece of work that may be one of many can begin at once; else it
 * waits by {@link timeInTurn}. To await that without asking would not do: many who
 * come in one turn would all be let in before the first of them begins.
 */
export function hasTimeInTurn(): boolean {
  return waiting === 0 && !isTurnOver(MAX_AGE_FOR_SHORT_WORK_MS);
}

/** Resolves when a later turn has time left: for those who wait in their order, and before those who come. */
export async function timeInTurn(): Promise<void> {
  waiting += 1;
  do await nextTurn();
  while (isTurnOver(MAX_AGE_FOR_SHORT_WORK_MS));
  waiting -= 1;
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

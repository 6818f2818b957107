import { setImmediate as immediate } from "node:timers/promises";

/** How long clients' input may hold the event loop, all of it together, before others get a turn. In milliseconds. */
const MAX_HOLD_MS = 10;

/** Time when this turn's first work began; monotonic, in milliseconds. */
let startedAtMs: number | undefined;

/**
 * Returns whether this turn of the event loop has been held for long enough. Code that may find endless work in its
 * input asks this between pieces, and then lets the loop turn. All share one clock, since many who each take a little
 * hold the loop as long as one.
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

/**
 * Age of a turn up to which short work may begin in it. Follow-up work, such as encoding an answer, runs in the same
 * turn. In milliseconds.
 */
const MAX_AGE_FOR_SHORT_WORK_MS = 4;
let waiting = 0;

/**
 * Returns whether a short piece of work, one of possibly many, can begin at once; otherwise it waits with {@link
 * timeInTurn}. Awaiting that without asking first would be wrong: all who come in one turn would be let in before the
 * first of them begins.
 */
export function hasTimeInTurn(): boolean {
  return waiting === 0 && !isTurnOver(MAX_AGE_FOR_SHORT_WORK_MS);
}

/** Resolves when a later turn has time left. Waiters resume in order, and ahead of newcomers. */
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

/** How many queued callbacks resume per turn. Each may hold the turn for one piece of its work. */
const MAX_RESUMED = 2;
const queue: (() => void)[] = [];

/**
 * Queues `goOn` for a later turn. At most `MAX_RESUMED` queued callbacks run per turn, so each may do one long piece of
 * work.
 */
export function queueForTurn(goOn: () => void): void {
  if (queue.push(goOn) === 1) setImmediate(resumeSome);
}

function resumeSome(): void {
  // Begins this turn's clock, so that short work behind counts what is done here.
  isTurnOver();
  for (const goOn of queue.splice(0, MAX_RESUMED)) goOn();
  if (queue.length > 0) setImmediate(resumeSome);
}

/** Resolves in a later turn that is shared with few others, between two pieces of long work. */
export function nextSharedTurn(): Promise<void> {
  return new Promise(queueForTurn);
}

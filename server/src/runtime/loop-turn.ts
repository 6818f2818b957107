import { setImmediate as immediate } from "node:timers/promises";

/**
 * Time for which the input of all clients together may hold the event loop before others get a turn, in milliseconds.
 */
const MAX_HOLD_MS = 10;

/** Time when this turn's first work began; monotonic, in milliseconds. */
let startedAtMs: number | undefined;

/**
 * Returns whether this turn of the event loop has lasted long enough. Code that may find endless work in its input
 * checks this between pieces, and then yields to the loop. All such code shares one clock: many small pieces of work
 * hold the loop as long as one large one.
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
 * Longest age of a turn at which short work may still begin in it, in milliseconds. It leaves time for follow-up work,
 * such as encoding an answer, in the same turn.
 */
const MAX_AGE_FOR_SHORT_WORK_MS = 4;
let waiting = 0;

/**
 * Returns whether a short piece of work, one of possibly many, can begin at once; otherwise it waits with {@link
 * timeInTurn}. Awaiting that in every case would be wrong: all that arrive in one turn would be let in before the first
 * of them begins.
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

/** Queued callbacks that resume in each turn. Each may hold the turn for one piece of its work. */
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
  // Starts the clock of this turn, so that short work that follows counts the time spent here.
  isTurnOver();
  for (const goOn of queue.splice(0, MAX_RESUMED)) goOn();
  if (queue.length > 0) setImmediate(resumeSome);
}

/** Resolves in a later turn that few others share. For use between two pieces of long work. */
export function nextSharedTurn(): Promise<void> {
  return new Promise(queueForTurn);
}

/** Object that checks its state again when this turn of the event loop is over. */
export interface AfterTurn {
  afterTurn(): void;
}

let waiting: AfterTurn[] = [];

/**
 * Calls `afterTurn` once the turn of the event loop is over. Most calls have ended by then, and need no timer at all.
 */
export function lookAfterTurn(work: AfterTurn): void {
  if (waiting.push(work) === 1) setImmediate(lookAtAll);
}

function lookAtAll(): void {
  const all = waiting;
  waiting = [];
  for (const work of all) work.afterTurn();
}

import { isTurnOver } from "../../runtime/loop-turn.ts";

/** Requests that wait to begin, by connection. The connection whose turn is next comes first. */
const waiting = new Map<object, (() => void)[]>();

/**
 * Begins a request: at once, or in a later turn of the event loop when this one has been held for long enough.
 * Connections then take turns, so that one that sends a thousand requests in a packet delays only itself.
 *
 * A client that takes its requests back (a rapid reset, CVE-2023-44487) has done so by then, so `begin` has to check.
 */
export function startInTurn(connection: object, begin: () => void): void {
  const queue = waiting.get(connection);
  if (queue) queue.push(begin);
  else if (isTurnOver()) {
    if (waiting.size === 0) setImmediate(beginSome);
    waiting.set(connection, [begin]);
  } else begin();
}

/** Returns whether a request of the connection would begin at once. */
export function hasTurn(connection: object): boolean {
  return !waiting.has(connection) && !isTurnOver();
}

function beginSome(): void {
  do {
    const next = waiting.entries().next().value;
    if (!next) return;
    const [connection, queue] = next;
    const begin = queue.shift();
    // Move the connection to the end of the line, or remove it.
    waiting.delete(connection);
    if (queue.length > 0) waiting.set(connection, queue);
    begin?.();
  } while (!isTurnOver());
  if (waiting.size > 0) setImmediate(beginSome);
}

import { isTurnOver } from "../../runtime/loop-turn.ts";

/** Requests that wait to be begun, by their connections; the connection that is next comes first. */
const waiting = new Map<object, (() => void)[]>();

/**
 * Begins a request: at once, or, when this turn of the event loop has been held for
 * long enough, in a later one. Then the connections take turns, so that one that
 * sends a thousand requests in a packet makes nobody wait but itself.
 *
 * A client that takes its requests back (a rapid reset, CVE-2023-44487) has done so
 * by then: `begin` has to look.
 */
export function startInTurn(connection: object, begin: () => void): void {
  const queue = waiting.get(connection);
  if (queue) queue.push(begin);
  else if (isTurnOver()) {
    if (waiting.size === 0) setImmediate(beginSome);
    waiting.set(connection, [begin]);
  } else begin();
}

function beginSome(): void {
  do {
    const next = waiting.entries().next().value;
    if (!next) return;
    const [connection, queue] = next;
    const begin = queue.shift();
    // To the end of the line, or out of it.
    waiting.delete(connection);
    if (queue.length > 0) waiting.set(connection, queue);
    begin?.();
  } while (!isTurnOver());
  if (waiting.size > 0) setImmediate(beginSome);
}

import { AsyncLocalStorage } from "node:async_hooks";

const current = new AsyncLocalStorage<string>();

/**
 * Runs the work of a recorded call, so that its SQL statements can name the trace.
 *
 * @param traceParent As in the header `traceparent` (W3C Trace Context, 3.2).
 */
export function withQueryTrace<T>(traceParent: string, work: () => T): T {
  return current.run(traceParent, work);
}

/** Returns the `traceparent` of the running work; undefined for calls that are not recorded. */
export function queryTrace(): string | undefined {
  return current.getStore();
}

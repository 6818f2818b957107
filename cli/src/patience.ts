import type { ConnectError } from "@connectrpc/connect";
import type { RetryEvent } from "@rollcall/client";
import type { NodeRollcallOptions } from "@rollcall/client/node";

/**
 * Time that a call of a long command waits for the server, in milliseconds: more than a restart or a failover takes.
 */
const WAIT_MS = 10 * 60_000;
/** Longest attempt, in milliseconds. After that the answer counts as lost. */
const ATTEMPT_MS = 60_000;
/** Shortest time between two notes that a command waits for the server, in milliseconds. */
const NOTE_INTERVAL_MS = 10_000;

/**
 * Returns client options with which a long command survives restarts of the server.
 *
 * @param note Reports why the command waits, once in 10 s at most: all calls wait for the same server, and a busy one
 * may refuse some while it accepts others.
 */
export function patience(note: (error: ConnectError) => void): Partial<NodeRollcallOptions> {
  let notedAtMs = Number.NEGATIVE_INFINITY;
  const noteWait = (error: ConnectError) => {
    if (performance.now() - notedAtMs < NOTE_INTERVAL_MS) return;
    notedAtMs = performance.now();
    note(error);
  };
  return {
    timeoutMs: WAIT_MS,
    retry: {
      // The wait is bounded by time instead. The backoff alone bounds the load on a server in trouble.
      maxAttempts: 10_000,
      initialDelayMs: 200,
      attemptTimeoutMs: ATTEMPT_MS,
      budget: { maxTokens: 1_000_000 },
      onRetry: ({ error }: RetryEvent) => noteWait(error),
    },
    pool: { onUnreachable: noteWait },
  };
}

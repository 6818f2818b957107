import { ConnectError } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";
import { delay } from "../internal/delay.ts";
import { delayAfter, isTransient, type RetryOptions } from "../retry/policy.ts";

export interface ResumeOptions<T, C> {
  /** Opens the stream after the given place, or from its start. The call must observe the signal. */
  open(cursor: C | undefined, signal: AbortSignal): AsyncIterable<T>;
  /** Returns the place after a message; undefined for a message without one, such as a heartbeat. */
  cursorOf(message: T): C | undefined;
  /** Options of the retries. Each message resets the count of attempts. */
  retry?: Omit<RetryOptions, "attemptTimeoutMs" | "budget" | "onRetry"> | undefined;
  signal?: AbortSignal | undefined;
  /** Called before the stream is opened again. */
  onResume?: ((error: ConnectError) => void) | undefined;
}

/**
 * Yields the messages of a server stream, and survives the loss of its server. When the stream fails with a temporary
 * error (unavailable, resource_exhausted with RetryInfo, deadline_exceeded), it is opened again after the last message
 * that was read. Leaving the loop ends the call.
 */
export async function* resumeStream<T, C>(options: ResumeOptions<T, C>): AsyncIterable<T> {
  const { open, cursorOf, retry = {}, onResume } = options;
  const { maxAttempts = 4 } = retry;
  const controller = createLinkedAbortController(options.signal);
  const { signal } = controller;
  let cursor: C | undefined;
  let failures = 0;
  try {
    for (;;) {
      try {
        for await (const message of open(cursor, signal)) {
          cursor = cursorOf(message) ?? cursor;
          failures = 0;
          yield message;
        }
        return;
      } catch (reason) {
        const error = ConnectError.from(reason);
        failures += 1;
        if (signal.aborted || !isTransient(error) || failures >= maxAttempts) throw error;
        onResume?.(error);
        await delay(delayAfter(error, failures, retry), signal);
      }
    }
  } finally {
    controller.abort();
  }
}

import type { Logger } from "pino";
import type { KeySet } from "./key-set.ts";

/** Shortest time between two lines about the same failure, in milliseconds. */
const INTERVAL_MS = 60_000;
/** Most keys that one line names. */
const MAX_NAMED_KEYS = 10;

/**
 * Logs the state of an identity provider's keys, without filling the log during a long outage or while a set stays bad.
 */
export class ProviderKeysLog {
  readonly #logger: Logger | undefined;
  readonly #now: () => number;
  #failures = 0;
  /** Last logged failure since the last good fetch. */
  #last: { message: string; atMs: number } | undefined;
  #lastLeftOut = "[]";

  constructor(logger: Logger | undefined, now: () => number) {
    this.#logger = logger;
    this.#now = now;
  }

  /**
   * Logs the first failure and the one after which no keys are left; others once a minute.
   *
   * @param usableMs Time for which the last good keys stay valid, in milliseconds; 0 if there are none.
   */
  failed(err: unknown, usableMs: number): void {
    this.#failures += 1;
    const isServed = usableMs > 0;
    const message = isServed
      ? "keys of the identity provider not refreshed: the last good ones serve"
      : "keys of the identity provider can't be had: no token can be verified";
    const atMs = this.#now();
    if (this.#last?.message === message && Math.abs(atMs - this.#last.atMs) < INTERVAL_MS) return;
    this.#last = { message, atMs };
    const fields = { failures: this.#failures, ...(isServed && { usableMs }), err };
    this.#logger?.[isServed ? "warn" : "error"](fields, message);
  }

  /** Logs a good fetch after failures. Logs the keys that were left out if they have changed. */
  fetched(leftOut: KeySet["leftOut"]): void {
    if (this.#failures > 0) {
      this.#logger?.info({ failures: this.#failures }, "keys of the identity provider refreshed again");
    }
    this.#failures = 0;
    this.#last = undefined;
    const text = JSON.stringify(leftOut);
    if (text !== this.#lastLeftOut && leftOut.length > 0) {
      const keys = leftOut.slice(0, MAX_NAMED_KEYS);
      this.#logger?.warn({ count: leftOut.length, keys }, "keys of the identity provider left out");
    }
    this.#lastLeftOut = text;
  }
}

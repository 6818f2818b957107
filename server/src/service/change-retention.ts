import { DatabaseUnavailableError } from "../domain/errors.ts";
import { CHANGES_TRIM_INTERVAL_MS, type ChangeRetentionOptions } from "../limits.ts";
import type { ChangeLog } from "../repository/change-log.ts";

/** Changes that are removed together: a millisecond or two of the event loop. */
const TRIMMED_AT_ONCE = 256;

export interface ChangeRetentionDependencies extends ChangeRetentionOptions {
  changes: ChangeLog;
  /** Returns milliseconds since the Unix epoch. */
  now(): number;
  /** Called with the error when trimming fails, unless the database is only unavailable. */
  onError(error: unknown): void;
}

/** Removes changes that are too old or too many, at intervals, and a few in each turn. */
export class ChangeRetention {
  readonly #dependencies: ChangeRetentionDependencies;
  #timer: NodeJS.Timeout | undefined;
  #isTrimming = false;

  constructor(dependencies: ChangeRetentionDependencies) {
    this.#dependencies = dependencies;
  }

  start(): void {
    this.#timer = setInterval(() => void this.trim(), CHANGES_TRIM_INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Removes all changes that need not be kept. */
  async trim(): Promise<void> {
    if (this.#isTrimming) return;
    this.#isTrimming = true;
    const { changes, retentionMs, maxCount, now, onError } = this.#dependencies;
    try {
      // Each write waits for a turn of its own.
      while ((await changes.trim({ notBeforeMs: now() - retentionMs, maxCount, limit: TRIMMED_AT_ONCE })) > 0);
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError)) onError(error);
    } finally {
      this.#isTrimming = false;
    }
  }
}

import type { DatabaseSync } from "node:sqlite";
import { DatabaseUnavailableError } from "../../domain/errors.ts";

/** Between two tries while another process is writing. SQLite could wait too, but would hold the event loop. */
const BUSY_RETRY_MS = 10;

interface PendingWrite {
  /** When it is refused if another process is still writing, by `performance.now()`. */
  readonly giveUpAtMs: number;
  /** Runs inside the transaction; returns what settles the caller's promise after it. */
  apply(): () => void;
  reject(reason: unknown): void;
}

export interface GroupCommitOptions {
  /** Writes in one transaction, at most. */
  maxBatch: number;
  /** How long a transaction takes on further writes, in milliseconds; the rest are the next turn's. */
  maxHoldMs: number;
  /** Writes that may wait; one more is refused as unavailable. */
  maxPending: number;
  /** Whether an error of SQLite concerns the database rather than one write. */
  isUnavailable(error: unknown): boolean;
  /** Whether an error of SQLite says that another process is writing. */
  isBusy(error: unknown): boolean;
  /** How long a write waits for another process's transaction, in milliseconds. */
  busyTimeoutMs: number;
  /** Called after each commit: throws when what was committed is not where it would be found again. */
  verify(): void;
}

/**
 * Puts the writes that arrive in one turn of the event loop into one transaction.
 * With synchronous=FULL every commit waits for the disk; sharing that wait makes
 * concurrent writes many times faster and costs a lone one nothing. Each write has
 * a savepoint of its own, so that one that is refused leaves the others alone, and
 * no promise resolves before the commit has returned and been verified.
 */
export class GroupCommit {
  readonly #database: DatabaseSync;
  readonly #options: GroupCommitOptions;
  #pending: PendingWrite[] = [];
  #scheduled = false;

  constructor(database: DatabaseSync, options: GroupCommitOptions) {
    this.#database = database;
    this.#options = options;
  }

  /**
   * Runs `write` in the next transaction; resolves once that is committed.
   * What `write` throws rejects only this promise, and undoes only this write.
   */
  run<T>(write: () => T): Promise<T> {
    if (this.#pending.length >= this.#options.maxPending) {
      return Promise.reject(new DatabaseUnavailableError());
    }
    return new Promise<T>((resolve, reject) => {
      const apply = () => {
        const result = write();
        return () => resolve(result);
      };
      this.#pending.push({ apply, reject, giveUpAtMs: performance.now() + this.#options.busyTimeoutMs });
      this.#schedule();
    });
  }

  /** Commits all that is pending now, or refuses it. */
  flush(): void {
    while (this.#pending.length > 0) this.#commit(this.#pending.splice(0, this.#options.maxBatch));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#commitNext());
  }

  #commitNext(): void {
    const busy = this.#pending.length > 0 ? this.#tryBegin() : undefined;
    if (busy) this.#refuseLate(busy);
    if (busy && this.#pending.length > 0) {
      setTimeout(() => this.#commitNext(), BUSY_RETRY_MS);
      return;
    }
    this.#scheduled = false;
    this.#commit(this.#pending.splice(0, this.#options.maxBatch));
    if (this.#pending.length > 0) this.#schedule();
  }

  /** Begins a transaction; returns the error when another process is writing. Any other is for the commit to meet again. */
  #tryBegin(): unknown {
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      return undefined;
    } catch (error) {
      return this.#options.isBusy(error) ? error : undefined;
    }
  }

  /** Refuses writes that have waited for long enough, a batch at most: the first ones, since they wait in their order. */
  #refuseLate(error: unknown): void {
    const nowMs = performance.now();
    const onTime = this.#pending.findIndex(({ giveUpAtMs }) => giveUpAtMs > nowMs);
    const count = Math.min(onTime === -1 ? this.#pending.length : onTime, this.#options.maxBatch);
    for (const { reject } of this.#pending.splice(0, count)) reject(error);
  }

  #commit(batch: PendingWrite[]): void {
    if (batch.length === 0) return;
    const settlements: (() => void)[] = [];
    try {
      if (!this.#database.isTransaction) this.#database.exec("BEGIN IMMEDIATE");
      const endMs = performance.now() + this.#options.maxHoldMs;
      for (const [index, write] of batch.entries()) {
        if (index > 0 && performance.now() > endMs) {
          this.#pending.unshift(...batch.splice(index));
          break;
        }
        settlements.push(this.#apply(write));
      }
      this.#database.exec("COMMIT");
      // Only now: a file that goes while the commit is under way takes it along.
      this.#options.verify();
    } catch (error) {
      for (const write of batch) write.reject(error);
      // SQLite rolls back by itself after some errors, such as a full disk.
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec("ROLLBACK");
      return;
    }
    for (const settle of settlements) settle();
  }

  #apply(write: PendingWrite): () => void {
    this.#database.exec("SAVEPOINT one_write");
    try {
      const settle = write.apply();
      this.#database.exec("RELEASE one_write");
      return settle;
    } catch (error) {
      if (this.#options.isUnavailable(error) || !this.#database.isTransaction) throw error;
      this.#database.exec("ROLLBACK TO one_write; RELEASE one_write");
      return () => write.reject(error);
    }
  }
}

import type { DatabaseSync } from "node:sqlite";
import { DatabaseUnavailableError } from "../../domain/errors.ts";
import type { Histogram } from "../../runtime/histogram.ts";

/**
 * Time between two attempts while another process is writing, in milliseconds. SQLite's own wait would block the event
 * loop.
 */
const BUSY_RETRY_MS = 10;

interface PendingWrite {
  /** Time at which the write is refused if another process is still writing, by `performance.now()`. */
  readonly giveUpAtMs: number;
  /** Runs inside the transaction. Returns a function that settles the caller's promise afterwards. */
  apply(): () => void;
  reject(reason: unknown): void;
}

export interface GroupCommitOptions {
  /** Most writes in one transaction. */
  maxBatch: number;
  /** How long a transaction accepts further writes, in milliseconds. The rest wait for the next turn. */
  maxHoldMs: number;
  /** Most writes that may wait. Further ones are refused as unavailable. */
  maxPending: number;
  /** Returns whether an SQLite error concerns the whole database rather than one write. */
  isUnavailable(error: unknown): boolean;
  /** Returns whether an SQLite error means that another process is writing. */
  isBusy(error: unknown): boolean;
  /** How long a write waits for another process's transaction, in milliseconds. */
  busyTimeoutMs: number;
  /** Called after each commit. Throws if the committed data would not be found again. */
  verify(): void;
  /** Counts the writes of each transaction. */
  sizes: Histogram;
}

/**
 * Puts the writes that arrive in one turn of the event loop into one transaction. With synchronous=FULL every commit
 * waits for the disk. Sharing that wait makes concurrent writes many times faster, and costs a single one nothing. Each
 * write has its own savepoint, so that a refused one does not affect the others. No promise resolves before the commit
 * has returned and been verified.
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
   * Runs `write` in the next transaction. Resolves once that is committed. An error that `write` throws rejects only
   * this promise, and undoes only this write.
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

  /** Commits or refuses all pending writes now. */
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

  /**
   * Begins a transaction. Returns the error if another process is writing. Any other error will occur again at the
   * commit.
   */
  #tryBegin(): unknown {
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      return undefined;
    } catch (error) {
      return this.#options.isBusy(error) ? error : undefined;
    }
  }

  /**
   * Refuses writes that have waited for too long, at most one batch. They are the first ones, since writes wait in
   * order.
   */
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
      // Verify after the commit: if a file is removed during the commit, the commit is lost with it.
      this.#options.verify();
    } catch (error) {
      for (const write of batch) write.reject(error);
      // After some errors, such as a full disk, SQLite rolls back by itself.
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec("ROLLBACK");
      return;
    }
    this.#options.sizes.record(settlements.length);
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

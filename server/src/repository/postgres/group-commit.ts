import { randomUUID } from "node:crypto";
import type pg from "pg";
import { DatabaseUnavailableError, DomainError, OutcomeUnknownError } from "../../domain/errors.ts";
import type { User } from "../../domain/user.ts";
import type { Histogram } from "../../runtime/histogram.ts";
import { queryTrace } from "../../runtime/query-trace.ts";
import { localBounds, toQuery } from "./connection.ts";
import { isAway, isLockTimeout, isRaced, isRefusal } from "./errors.ts";
import type { PostgresPool } from "./pool.ts";
import { refuseWarnings } from "./refuse-warnings.ts";
import { type Statement, statements } from "./statements.ts";
import { withTraceComment } from "./trace-comment.ts";
import { type Claim, claimsOf, type Outcome, type Write } from "./write.ts";
import { RacedError, runWrites, type Send } from "./write-batch.ts";
import { WriteSlot } from "./write-slot.ts";

/** Most transactions at the same time: while one waits for the disk, the next is already filled. */
const MAX_BATCHES = 4;
/** Most writes in one transaction. */
const MAX_BATCH = 256;
/** Most writes that may wait; further ones are refused. */
const MAX_PENDING = 16_384;
/** Most waiting writes that are considered for one transaction. */
const MAX_SCAN = 2_048;
/** Attempts of a write that fails because of concurrent transactions. */
const MAX_ATTEMPTS = 5;

interface PendingWrite {
  readonly write: Write;
  readonly claims: readonly Claim[];
  /** Trace of its call, if that is recorded. */
  readonly trace: string | undefined;
  /** Time at which the write is refused if it has not begun, by `performance.now()`. */
  readonly giveUpAtMs: number;
  /** Number of earlier attempts; after the first one, a write runs in a transaction of its own. */
  attempts: number;
  resolve(user: User | undefined): void;
  reject(reason: unknown): void;
}

/**
 * Puts the writes that arrive in one turn of the event loop into one transaction, and runs a few transactions at the
 * same time. A lone write starts immediately. Writes that would wait for each other's locks, such as two changes of one
 * user, are in the same transaction or follow each other. A transaction thus waits only for those of other servers. The
 * statements of a transaction name the trace of its first recorded call.
 *
 * No promise settles before the commit is known. If the answer to a COMMIT is lost, the write slot shows whether it
 * succeeded.
 */
export class GroupCommit {
  readonly #pool: PostgresPool;
  readonly #sizes: Histogram;
  #pending: PendingWrite[] = [];
  readonly #claimed = new Set<string>();
  readonly #freeSlots: WriteSlot[];
  #running = 0;
  #isScheduled = false;
  #isClosed = false;
  #drained: (() => void) | undefined;

  /** @param sizes Counts the writes of each committed transaction. */
  constructor(pool: PostgresPool, sizes: Histogram) {
    this.#pool = pool;
    this.#sizes = sizes;
    this.#freeSlots = Array.from({ length: MAX_BATCHES }, () => new WriteSlot(pool));
  }

  /**
   * Runs a write in the next transaction, and resolves once that is committed.
   *
   * @throws OutcomeUnknownError if it could not be found out in time whether it was.
   */
  async run(write: Write): Promise<User | undefined> {
    this.#pool.assertUsable();
    if (this.#isClosed || this.#pending.length >= MAX_PENDING) throw new DatabaseUnavailableError();
    const giveUpAtMs = performance.now() + this.#pool.timeouts.callMs;
    const trace = queryTrace();
    return new Promise((resolve, reject) => {
      this.#pending.push({ write, claims: claimsOf(write), trace, giveUpAtMs, attempts: 0, resolve, reject });
      this.#schedule();
    });
  }

  /** Resolves when all writes in progress are settled; accepts no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#pending.length + this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#running === MAX_BATCHES) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#start();
    });
  }

  #start(): void {
    while (this.#running < MAX_BATCHES) {
      this.#refuseLate();
      const batch = this.#takeBatch();
      if (batch.length === 0) break;
      void this.#run(batch);
    }
    if (this.#pending.length + this.#running === 0) this.#drained?.();
  }

  /** Refuses writes that have waited for too long. They are the first ones, since writes wait in order. */
  #refuseLate(): void {
    const nowMs = performance.now();
    const onTime = this.#pending.findIndex(({ giveUpAtMs }) => giveUpAtMs > nowMs);
    const late = this.#pending.splice(0, onTime === -1 ? this.#pending.length : onTime);
    for (const { reject } of late) reject(new DatabaseUnavailableError());
  }

  /**
   * Takes the writes of one transaction out of the line. Leaves writes that must wait for another one, and those that
   * would overtake one of these.
   */
  #takeBatch(): PendingWrite[] {
    const batch: PendingWrite[] = [];
    const left: PendingWrite[] = [];
    const blocked = new Set(this.#claimed);
    const shared = new Set<string>();
    const scanned = this.#pending.splice(0, MAX_SCAN);
    for (const [index, pending] of scanned.entries()) {
      const isAlone = pending.attempts > 0;
      if (batch.length === MAX_BATCH || (isAlone && batch.length > 0)) {
        left.push(...scanned.slice(index));
        break;
      }
      const mustWait = pending.claims.some(({ key, isExclusive }) => {
        return blocked.has(key) || (isExclusive && shared.has(key));
      });
      for (const { key, isExclusive } of pending.claims) {
        if (mustWait || isExclusive) blocked.add(key);
        else shared.add(key);
      }
      (mustWait ? left : batch).push(pending);
      if (isAlone && !mustWait) {
        left.push(...scanned.slice(index + 1));
        break;
      }
    }
    this.#pending.unshift(...left);
    return batch;
  }

  async #run(batch: readonly PendingWrite[]): Promise<void> {
    const keys = batch.flatMap(({ claims }) => claims.map(({ key }) => key));
    for (const key of keys) this.#claimed.add(key);
    this.#running += 1;
    const slot = this.#freeSlots.pop() as WriteSlot;
    try {
      const outcomes = await this.#commit(
        slot,
        batch.map(({ write }) => write),
        batch.find(({ trace }) => trace !== undefined)?.trace,
      );
      for (const [index, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[index] as Outcome;
        if ("error" in outcome) reject(outcome.error);
        else resolve(outcome.value);
      }
    } catch (error) {
      this.#fail(batch, error);
    } finally {
      this.#freeSlots.push(slot);
      for (const key of keys) this.#claimed.delete(key);
      this.#running -= 1;
      this.#start();
    }
  }

  /** Settles a batch that was not committed. If that can help, its writes are tried again, each alone. */
  #fail(batch: readonly PendingWrite[], error: unknown): void {
    const isRace = error instanceof RacedError || isRaced(error);
    const reason = this.#pool.explain(error);
    const isOneWritesFault = !(reason instanceof DomainError) && batch.length > 1;
    const again: PendingWrite[] = [];
    // The next wait for the lock must end in time.
    const nextEndMs = performance.now() + (isLockTimeout(error) ? this.#pool.timeouts.lockMs : 0);
    for (const pending of batch) {
      pending.attempts += 1;
      const isWorthwhile = pending.attempts < MAX_ATTEMPTS && nextEndMs < pending.giveUpAtMs;
      if (isOneWritesFault || (isRace && isWorthwhile)) again.push(pending);
      else pending.reject(error instanceof RacedError ? new DatabaseUnavailableError({ cause: error }) : reason);
    }
    this.#pending.unshift(...again);
    if (!isAway(error)) return;
    for (const { reject } of this.#pending.splice(0)) reject(reason);
  }

  /**
   * @returns The outcomes of the committed writes.
   * @throws If nothing is committed, or with {@link OutcomeUnknownError} if that is not known.
   */
  async #commit(slot: WriteSlot, writes: readonly Write[], trace: string | undefined): Promise<Outcome[]> {
    const { timeouts, address } = this.#pool;
    const endMs = performance.now() + timeouts.callMs;
    const slotId = await slot.id();
    const client = await this.#pool.connect();
    const timeoutMs = () => Math.min(timeouts.answerMs, endMs - performance.now());
    const send: Send = async <T extends object>(statement: Statement, values: readonly unknown[] = []) => {
      const query = toQuery(withTraceComment(statement, trace), values, address.isPooled, timeoutMs());
      return (await client.query(query)).rows as T[];
    };
    const token = randomUUID();
    let failure: unknown;
    try {
      const begin = address.isPooled
        ? { text: `${statements.begin.text}; ${localBounds(timeouts)}` }
        : statements.begin;
      const begun = send(begin);
      const marked = send(statements.markSlot, [slotId, token]).then((rows) => {
        if (rows.length === 1) return;
        slot.abandon();
        throw new RacedError("the slot of this process is gone");
      });
      const outcomes = await runWrites(send, writes, [begun, marked]);
      failure = await this.#end(client, withTraceComment(statements.commit, trace), slot, token, endMs);
      this.#sizes.record(writes.length);
      return outcomes;
    } catch (error) {
      failure = error;
      const isOpen = error instanceof RacedError || isRefusal(error);
      if (isOpen)
        failure = await send(statements.rollback).then(
          () => undefined,
          (reason) => reason,
        );
      throw error;
    } finally {
      this.#pool.release(client, failure);
    }
  }

  /**
   * Commits. Returns the error if the connection was lost before the answer, but the transaction is committed.
   *
   * @throws If it is not committed, or that is not known.
   */
  async #end(
    client: pg.PoolClient,
    statement: Statement,
    slot: WriteSlot,
    token: string,
    endMs: number,
  ): Promise<unknown> {
    const { timeouts } = this.#pool;
    const leftMs = endMs - performance.now();
    let lost: unknown;
    try {
      const commit = toQuery(statement, [], true, Math.min(timeouts.commitMs, leftMs * 0.75));
      const { command } = await refuseWarnings(client, () => client.query(commit));
      if (command === "COMMIT") return undefined;
      throw new RacedError("the transaction was rolled back");
    } catch (error) {
      if (error instanceof RacedError) throw error;
      // Even an error from the server may not mean a refusal. If the server can't flush its log, it sends an error and
      // crashes, and its recovery then finds the commit in the log.
      lost = error;
    }
    const hasCommitted = await slot.hasCommitted(token, endMs);
    if (hasCommitted) return lost;
    if (hasCommitted === false) throw lost;
    slot.abandon();
    this.#pool.explain(lost);
    throw new OutcomeUnknownError({ cause: lost });
  }
}

import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "@rollcall/testing/random";
import { until } from "@rollcall/testing/start-server";
import type { UsersClient } from "./connect-users.ts";
import { Writer } from "./writer.ts";

/** Number of writes that are under way at any moment. */
export const WRITERS = 64;
/** Pause of a writer after a refusal, as of a client that backs off, and after an unknown outcome, in milliseconds. */
const BACKOFF_MS = 20;
const LONG_BACKOFF_MS = 200;

/**
 * Writers at work without a pause, whatever fails. One whose write has an unknown outcome is replaced by another: what
 * it left is for the audit.
 */
export class WriteLoad {
  /** All that there have been, for the audit. */
  readonly writers: Writer[] = [];
  acknowledged = 0;
  /** Writes that were refused, and so must not have been made. */
  refused = 0;
  /** Writes of which nobody could say whether they were made. */
  unknown = 0;
  /** Longest time until a caller was told that a write was not acknowledged, in milliseconds. */
  longestFailureMs = 0;
  readonly #random: Random;
  #idle: Writer[] = [];
  #working: Promise<unknown> | undefined;
  #isOver = true;
  /** Time of the latest begin of a write that was acknowledged, by `performance.now()`. */
  #latestAcknowledgedMs = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get failed(): number {
    return this.refused + this.unknown;
  }

  figures() {
    const { acknowledged, refused, unknown, longestFailureMs } = this;
    return { acknowledged, refused, unknown, longestFailureMs };
  }

  /** Begins to write, with all clients in turn. After an audit, all writers can go on. */
  start(clients: readonly UsersClient[]): void {
    this.#isOver = false;
    this.#idle = this.writers.filter(({ pending }) => !pending);
    const work = async (_: unknown, number: number) => {
      const client = clients[number % clients.length] as UsersClient;
      let writer: Writer | undefined;
      while (!this.#isOver) {
        writer ??= this.#idle.pop() ?? this.#addWriter();
        if (!(await this.#write(writer, client))) writer = undefined;
      }
    };
    this.#working = Promise.all(Array.from({ length: WRITERS }, work));
    // The next wait reports it.
    this.#working.catch(() => {
      this.#isOver = true;
    });
  }

  /** Waits until as many writes more have been acknowledged. */
  async untilAcknowledged(more: number): Promise<void> {
    const target = this.acknowledged + more;
    await this.#until(() => this.acknowledged >= target);
  }

  /** Waits until this number of writes have failed. */
  async untilFailed(target: number): Promise<void> {
    await this.#until(() => this.failed >= target);
  }

  /** Waits until a write is acknowledged that began after this. Returns the time that took, in milliseconds. */
  async untilServed(): Promise<number> {
    const sinceMs = performance.now();
    await this.#until(() => this.#latestAcknowledgedMs > sinceMs);
    return performance.now() - sinceMs;
  }

  /** Lets all writes under way end. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#working;
  }

  /** @throws The error of a writer that gave up. */
  async #until(check: () => boolean): Promise<void> {
    await until(() => check() || this.#isOver);
    if (this.#isOver) await this.#working;
  }

  #addWriter(): Writer {
    const writer = new Writer(`w${this.writers.length}`);
    this.writers.push(writer);
    return writer;
  }

  /** Returns whether the writer can go on. */
  async #write(writer: Writer, client: UsersClient): Promise<boolean> {
    const startedAtMs = performance.now();
    if (await writer.write(client, this.#random)) {
      this.acknowledged += 1;
      this.#latestAcknowledgedMs = Math.max(this.#latestAcknowledgedMs, startedAtMs);
      return true;
    }
    this.longestFailureMs = Math.max(this.longestFailureMs, performance.now() - startedAtMs);
    const isUnknown = writer.pending !== undefined;
    this[isUnknown ? "unknown" : "refused"] += 1;
    await delay(isUnknown ? LONG_BACKOFF_MS : BACKOFF_MS);
    return !isUnknown;
  }
}

import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "@rollcall/testing/random";
import { until } from "@rollcall/testing/start-server";
import type { UsersClient } from "./connect-users.ts";
import { Writer } from "./writer.ts";

/** Number of writes that are under way at any moment. */
export const WRITERS = 64;
/** Pause of a writer after a refusal (like a client that backs off) or an unknown outcome, in milliseconds. */
const BACKOFF_MS = 20;
const LONG_BACKOFF_MS = 200;

/**
 * Writers that write without a pause, whatever fails. A writer whose write has an unknown outcome is replaced by
 * another; the audit examines its users.
 */
export class WriteLoad {
  /** All writers so far, for the audit. */
  readonly writers: Writer[] = [];
  acknowledged = 0;
  /** Number of refused writes, which therefore must not have been made. */
  refused = 0;
  /** Number of writes that may or may not have been made. */
  unknown = 0;
  /** Longest time until a caller knew that a write was not acknowledged, in milliseconds. */
  longestFailureMs = 0;
  readonly #random: Random;
  #idle: Writer[] = [];
  #working: Promise<unknown> | undefined;
  #isOver = true;
  /** Start of the acknowledged write that began last, by `performance.now()`. */
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

  /** Starts to write, with all clients in turn. After an audit, all writers can continue. */
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
    // The next call that waits throws the error.
    this.#working.catch(() => {
      this.#isOver = true;
    });
  }

  /** Waits until this number of further writes have been acknowledged. */
  async untilAcknowledged(more: number): Promise<void> {
    const target = this.acknowledged + more;
    await this.#until(() => this.acknowledged >= target);
  }

  /** Waits until this number of writes have failed. */
  async untilFailed(target: number): Promise<void> {
    await this.#until(() => this.failed >= target);
  }

  /** Waits until a write that began after this call is acknowledged. Returns the duration in milliseconds. */
  async untilServed(): Promise<number> {
    const sinceMs = performance.now();
    await this.#until(() => this.#latestAcknowledgedMs > sinceMs);
    return performance.now() - sinceMs;
  }

  /** Waits for all writes under way, and stops. */
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

  /** Returns whether the writer can continue. */
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

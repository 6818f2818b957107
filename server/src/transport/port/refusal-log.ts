import type { Logger } from "pino";

const INTERVAL_MS = 60_000;

export interface RefusalLogOptions {
  /** Default "warn". */
  level?: "warn" | "info" | "debug" | undefined;
  /** Lines of a kind in a minute, so that a flood of requests does not flood the log too. Default 1. */
  linesPerMinute?: number | undefined;
}

/**
 * Logs why connections are refused or ended: the first of a kind at once, then up to a number of lines a minute. Each
 * line has the `count` of events since the line before, its own included.
 */
export class RefusalLog {
  readonly #logger: Logger;
  readonly #level: "warn" | "info" | "debug";
  readonly #linesPerMinute: number;
  readonly #kinds = new Map<string, { count: number; lines: number; minuteSinceMs: number }>();

  constructor(logger: Logger, { level = "warn", linesPerMinute = 1 }: RefusalLogOptions = {}) {
    this.#logger = logger;
    this.#level = level;
    this.#linesPerMinute = linesPerMinute;
  }

  /** @param message One of a fixed number, since each is remembered. */
  note(message: string, fields: Readonly<Record<string, unknown>>): void {
    const kind = this.#kinds.get(message) ?? { count: 0, lines: 0, minuteSinceMs: Number.NEGATIVE_INFINITY };
    this.#kinds.set(message, kind);
    kind.count += 1;
    const nowMs = performance.now();
    if (nowMs - kind.minuteSinceMs >= INTERVAL_MS) {
      kind.minuteSinceMs = nowMs;
      kind.lines = 0;
    }
    if (kind.lines >= this.#linesPerMinute) return;
    kind.lines += 1;
    this.#logger[this.#level]({ ...fields, count: kind.count }, message);
    kind.count = 0;
  }
}

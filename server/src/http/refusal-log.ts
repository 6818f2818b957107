import type { Logger } from "pino";

/** Between two log lines of a kind: who floods the server must not flood its log too. */
const INTERVAL_MS = 60_000;

/** Logs what connections are refused or ended for: the first of a kind at once, then one line a minute with their number. */
export class RefusalLog {
  readonly #logger: Logger;
  readonly #kinds = new Map<string, { count: number; loggedAtMs: number }>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param message One of a fixed number, since each is remembered. */
  note(message: string, fields: Readonly<Record<string, unknown>>): void {
    const kind = this.#kinds.get(message) ?? { count: 0, loggedAtMs: Number.NEGATIVE_INFINITY };
    this.#kinds.set(message, kind);
    kind.count += 1;
    const nowMs = performance.now();
    if (nowMs - kind.loggedAtMs < INTERVAL_MS) return;
    this.#logger.warn({ ...fields, count: kind.count }, message);
    kind.loggedAtMs = nowMs;
    kind.count = 0;
  }
}

import type { Logger } from "pino";
import { DEFAULT_REFUSED_LINES_PER_SECOND } from "../../limits.ts";

const INTERVAL_MS = 1_000;

/** Logs lines of one kind, up to a number a second, then one line with the count of those left out. */
export class BoundedLines {
  readonly #logger: Logger;
  readonly #message: string;
  readonly #maxPerSecond: number;
  readonly #onLine: () => void;
  #lines = 0;
  #leftOut = 0;

  /** @param onLine Called for each line, also for one that is left out. */
  constructor(
    logger: Logger,
    message: string,
    maxPerSecond = DEFAULT_REFUSED_LINES_PER_SECOND,
    onLine: () => void = () => {},
  ) {
    this.#logger = logger;
    this.#message = message;
    this.#maxPerSecond = maxPerSecond;
    this.#onLine = onLine;
  }

  /** Logs a line at level `info`, or counts it. */
  info(fields: Readonly<Record<string, unknown>>): void {
    this.#onLine();
    if (this.#lines === 0) setTimeout(() => this.#endInterval(), INTERVAL_MS).unref();
    this.#lines += 1;
    if (this.#lines <= this.#maxPerSecond) this.#logger.info(fields, this.#message);
    else this.#leftOut += 1;
  }

  #endInterval(): void {
    if (this.#leftOut > 0) this.#logger.info({ count: this.#leftOut }, `${this.#message}: further ones left out`);
    this.#lines = 0;
    this.#leftOut = 0;
  }
}

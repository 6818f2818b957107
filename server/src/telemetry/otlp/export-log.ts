import type { ExportResult } from "@opentelemetry/core";
import type { Logger } from "pino";

/** Exporter of the SDK, for spans or metrics. */
interface Exporter<Item> {
  export(items: Item, onResult: (result: ExportResult) => void): void;
}

/** Logs when exports begin to fail, and when all of them work again: one line each, however many fail in between. */
export class ExportLog {
  readonly #logger: Logger;
  readonly #failing = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Logs the exporter's failures here, and hides them from the SDK, which then drops the items that were not exported.
   */
  watch<Item>(signal: string, exporter: Exporter<Item>): void {
    const send = exporter.export.bind(exporter);
    exporter.export = (items, onResult) => {
      send(items, (result) => {
        this.#note(signal, result);
        onResult({ code: 0 });
      });
    };
  }

  #note(signal: string, { code, error }: ExportResult): void {
    const wasFailing = this.#failing.size > 0;
    if (code === 0) this.#failing.delete(signal);
    else this.#failing.add(signal);
    const isFailing = this.#failing.size > 0;
    // Log only the code: an exporter's error quotes the receiver's words.
    if (!wasFailing && isFailing) this.#logger.warn({ signal, reason: reasonOf(error) }, "telemetry is not exported");
    else if (wasFailing && !isFailing) this.#logger.info("telemetry is exported again");
  }
}

/** Returns the code of a failure: a network error's, such as ECONNREFUSED, or an HTTP status. */
function reasonOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (code !== undefined) return String(code);
  return cause === undefined ? "timeout" : reasonOf(cause);
}

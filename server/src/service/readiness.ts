import { DatabaseUnavailableError } from "../domain/errors.ts";
import type { NotReady } from "../domain/not-ready.ts";
import type { UserRepository } from "../repository/user-repository.ts";

/** Interval at which the database is checked while somebody waits for a change, in milliseconds. */
const LOOK_INTERVAL_MS = 1_000;

export interface ReadinessOptions {
  database: Pick<UserRepository, "ping">;
  /** Called when the database becomes unusable, when the reason for that changes, and when it is usable again. */
  onChange(fault: NotReady | undefined): void;
}

/** Whether the process can serve: it must not be draining, and its database must be usable. */
export class Readiness {
  readonly #database: ReadinessOptions["database"];
  readonly #onChange: ReadinessOptions["onChange"];
  readonly #waiting = new Set<() => void>();
  #fault: NotReady | undefined;
  #isDraining = false;
  #checking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ database, onChange }: ReadinessOptions) {
    this.#database = database;
    this.#onChange = onChange;
  }

  /** Whether the server is about to stop. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Last known reason why not everything can be served. */
  get problem(): NotReady | undefined {
    return this.#isDraining ? { reason: "draining" } : this.#fault;
  }

  /**
   * Checks the database, and returns the reason why not everything can be served. Concurrent callers share one check.
   */
  async check(): Promise<NotReady | undefined> {
    if (!this.#isDraining) {
      this.#checking ??= this.#look();
      await this.#checking;
    }
    return this.problem;
  }

  /** Notes that the server is about to stop. */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#wake();
  }

  /** Resolves at the next change, or when the signal is aborted. Meanwhile the database is checked once a second. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
      if (signal.aborted) done();
      else this.#lookLater();
    });
  }

  #lookLater(): void {
    if (this.#timer || this.#isDraining) return;
    this.#timer = setTimeout(async () => {
      await this.check();
      this.#timer = undefined;
      if (this.#waiting.size > 0) this.#lookLater();
    }, LOOK_INTERVAL_MS).unref();
  }

  async #look(): Promise<void> {
    let fault: NotReady | undefined;
    try {
      await this.#database.ping();
    } catch (error) {
      const isKnown = error instanceof DatabaseUnavailableError;
      fault = isKnown ? { reason: error.fault, error: error.cause } : { reason: "database-unavailable", error };
    }
    this.#checking = undefined;
    if (fault?.reason === this.#fault?.reason) return;
    this.#fault = fault;
    this.#onChange(fault);
    this.#wake();
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}

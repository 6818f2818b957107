import { DatabaseUnavailableError } from "../domain/errors.ts";
import type { NotReady } from "../domain/not-ready.ts";
import type { UserRepository } from "../repository/user-repository.ts";

/** Time between two looks at the database while somebody waits for a change, in milliseconds. */
const LOOK_INTERVAL_MS = 1_000;

export interface ReadinessOptions {
  database: Pick<UserRepository, "ping">;
  /** Called when the database can't be used any more, for another reason than before, or can be used again. */
  onChange(fault: NotReady | undefined): void;
}

/** Whether the process can serve: it drains or not, and its database can be used or not. */
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

  /** Reason why not everything can be served, as far as is known. */
  get problem(): NotReady | undefined {
    return this.#isDraining ? { reason: "draining" } : this.#fault;
  }

  /** Looks at the database and returns the reason why not everything can be served. Callers at once share a look. */
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

  /** Resolves at the next change, or when the signal is aborted. Looks once a second meanwhile. */
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

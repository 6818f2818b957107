import { DatabaseUnwritableError } from "../domain/errors.ts";

/** Time for which a result is valid, in milliseconds. */
const BELIEVED_MS = 1_000;
/** Bytes to write if there is no sign of a fault: one page in the log. */
const SMALL_BYTES = 16;
/**
 * Bytes to write after a failure: more than the largest user and its index entries. If they fit on a disk that was
 * full, users fit too.
 */
const LARGE_BYTES = 64 * 1_024;

/**
 * Finds out whether the database accepts writes. Clients' writes show it. If there are none, or after one has failed,
 * it makes a write of its own, once a second at most and only on request. Nothing else shows a full disk. Free space
 * does not account for quotas, limits or a file system that has become read-only, and the log can have room for small
 * writes but none for users.
 */
export class WriteCheck {
  readonly #write: (bytes: number) => Promise<unknown>;
  #error: unknown;
  #believedUntilMs = 0;
  #running: Promise<void> | undefined;

  /** @param write Durably writes about this many bytes. */
  constructor(write: (bytes: number) => Promise<unknown>) {
    this.#write = write;
  }

  /**
   * Notes that a client's write is on disk. After a failure this is not enough: only a large write of its own is proof.
   */
  succeeded(): void {
    if (this.#error === undefined) this.#believe(undefined);
  }

  /** Notes that a client's write failed because the database can't be written. */
  failed(error: unknown): void {
    this.#believe(error);
  }

  /** @throws DatabaseUnwritableError */
  async run(): Promise<void> {
    if (performance.now() >= this.#believedUntilMs) {
      this.#running ??= this.#attempt().finally(() => {
        this.#running = undefined;
      });
      await this.#running;
    }
    if (this.#error !== undefined) throw new DatabaseUnwritableError({ cause: this.#error });
  }

  async #attempt(): Promise<void> {
    try {
      await this.#write(this.#error === undefined ? SMALL_BYTES : LARGE_BYTES);
      this.#believe(undefined);
    } catch (error) {
      this.#believe(error);
    }
  }

  #believe(error: unknown): void {
    this.#error = error;
    this.#believedUntilMs = performance.now() + BELIEVED_MS;
  }
}

import { DatabaseUnwritableError } from "../../domain/errors.ts";

/** For how long an outcome is believed, in milliseconds. */
const BELIEVED_MS = 1_000;
/** Enough to show that writes work where nothing says that they don't: one page in the log. In bytes. */
const SMALL_BYTES = 16;
/** More than the largest user and its index entries: when this fits on a disk that was full, users do too. In bytes. */
const LARGE_BYTES = 64 * 1_024;

/**
 * Whether the database takes writes. What clients write shows it; while they write
 * nothing, or after a write has failed, a write of its own does, once a second at
 * most and only when somebody asks. A full disk shows in nothing else: free space
 * says nothing of quotas, limits and a file system that has become read-only, and
 * the log of a database can have room for what is small when it has none for users.
 */
export class WriteCheck {
  readonly #write: (bytes: number) => Promise<unknown>;
  #error: unknown;
  #believedUntilMs = 0;
  #running: Promise<void> | undefined;

  /** @param write Writes about so many bytes durably. */
  constructor(write: (bytes: number) => Promise<unknown>) {
    this.#write = write;
  }

  /** A client's write is on disk. After a failure, only a large write of our own is proof enough. */
  succeeded(): void {
    if (this.#error === undefined) this.#believe(undefined);
  }

  /** A client's write met a database that can't be written. */
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

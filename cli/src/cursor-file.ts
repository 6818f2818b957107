import { readFile } from "node:fs/promises";
import { UsageError } from "./exit.ts";
import { replaceFile } from "./replace-file.ts";

/** Largest cursor file, in characters: many times a resume token and its line end. */
const MAX_CHARACTERS = 8_192;
/** Shortest time between two writes of the file, in milliseconds: each waits for the disk. */
const WRITE_INTERVAL_MS = 200;

/**
 * Reads the resume token in a file; returns undefined if there is no file.
 *
 * @throws UsageError when the file can't be read, or contains something else.
 */
export async function readCursor(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new UsageError(`${path} can't be read (${(error as Error).message})`, { cause: error });
  }
  const token = text.trim();
  if (!isResumeToken(token)) {
    throw new UsageError(`${path} has no resume token: name another file, or remove this one to begin anew`);
  }
  return token;
}

/** Returns whether a text looks like a resume token. Only the server knows which ones are valid. */
export function isResumeToken(text: string): boolean {
  return text.length <= MAX_CHARACTERS && /^[\w-]+$/.test(text);
}

/**
 * Keeps a place in a file, and writes it a few times a second at most. If the process ends before a place is written,
 * its events are read again: each event comes at least once.
 */
export class CursorFile {
  readonly #path: string;
  #next: string | undefined;
  #writing: Promise<void> | undefined;
  #error: unknown;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Notes a place. Everything before it must have been delivered.
   *
   * @throws the error of an earlier write.
   */
  keep(token: string): void {
    if (this.#error !== undefined) throw this.#error;
    this.#next = token;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when the last place is on disk. @throws the error of a write. */
  async close(): Promise<void> {
    await this.#writing;
    if (this.#error !== undefined) throw this.#error;
  }

  async #writeAll(): Promise<void> {
    try {
      for (let token = this.#next; token !== undefined; token = this.#next) {
        this.#next = undefined;
        await replaceFile(this.#path, `${token}\n`);
        if (this.#next !== undefined) await new Promise((resolve) => setTimeout(resolve, WRITE_INTERVAL_MS));
      }
    } catch (error) {
      this.#error = error;
    }
    this.#writing = undefined;
  }
}

import { readFile } from "node:fs/promises";
import { UsageError } from "./exit.ts";
import { replaceFile } from "./replace-file.ts";

/** A resume token and its line's end fit many times. */
const MAX_CHARACTERS = 8_192;
/** Shortest time between two writes of the file, in milliseconds: each waits for the disk. */
const WRITE_INTERVAL_MS = 200;

/**
 * Reads the resume token that a file keeps; undefined if there is no file.
 *
 * @throws UsageError when the file can't be read, or has something else.
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

/** Returns whether a text looks like a resume token. The server alone knows which are. */
export function isResumeToken(text: string): boolean {
  return text.length <= MAX_CHARACTERS && /^[\w-]+$/.test(text);
}

/**
 * Keeps a place in a file, some times a second at most. A place that is lost with the process is one that is read again:
 * each event comes at least once.
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
   * Notes a place. Everything before it has to be where it belongs by now.
   *
   * @throws The error of an earlier write.
   */
  keep(token: string): void {
    if (this.#error !== undefined) throw this.#error;
    this.#next = token;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when the last place is on disk. @throws The error of a write. */
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

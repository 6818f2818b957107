import { constants } from "node:fs";
import { access, type FileHandle, open, realpath, rename, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { UsageError } from "./exit.ts";
import {
  type ExportKind,
  type ExportState,
  readExportState,
  removeExportState,
  writeExportState,
} from "./export-state.ts";

/** Interval at which the place is saved, in milliseconds. An export that is killed has to repeat that much. */
const NOTE_INTERVAL_MS = 1_000;

export interface ExportFileOptions extends ExportKind {
  readonly path: string;
  /** Whether to discard the data of an earlier run. */
  readonly restart?: boolean | undefined;
}

/**
 * File of an export. It grows as `FILE.partial`, with its place in `FILE.partial.json`, and gets its name when it is
 * complete. An export that was killed continues from the last saved place.
 */
export class ExportFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  #state: ExportState;
  #notedAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  private constructor(path: string, handle: FileHandle, state: ExportState) {
    this.#path = path;
    this.#handle = handle;
    this.#state = state;
  }

  /**
   * Opens the partial file at its last saved place, or a new one if there is none.
   *
   * @throws UsageError when the files can't be written, or are another export's.
   */
  static async open({ path: file, format, filter, restart }: ExportFileOptions): Promise<ExportFile> {
    const path = await realpath(file).catch(() => resolve(file));
    try {
      await access(dirname(path), constants.W_OK);
      const state = restart ? undefined : await usableState(path, { format, filter });
      if (state) {
        const handle = await open(partialOf(path), "r+");
        await handle.truncate(state.bytes);
        return new ExportFile(path, handle, state);
      }
      // Remove the state first: it must never stand beside a file that it does not describe.
      await removeExportState(stateOf(path));
      const handle = await open(partialOf(path), "w", 0o600);
      const place = { pageToken: "", exported: 0, bytes: 0 };
      return new ExportFile(path, handle, { ...place, format, filter, startedAtMs: Date.now() });
    } catch (error) {
      if (error instanceof UsageError) throw error;
      const { code = "unknown" } = error as NodeJS.ErrnoException;
      throw new UsageError(`${file} can't be written (${code})`, { cause: error });
    }
  }

  /** Place that the export has reached. */
  get state(): ExportState {
    return this.#state;
  }

  /** Writes a page of users. `pageToken` is the next page's. */
  async write(text: string, users: number, pageToken: string): Promise<void> {
    const bytes = Buffer.from(text);
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, this.#state.bytes + done);
      done += bytesWritten;
    }
    const { exported, bytes: before } = this.#state;
    this.#state = { ...this.#state, pageToken, exported: exported + users, bytes: before + bytes.length };
    const isDue = performance.now() - this.#notedAtMs >= NOTE_INTERVAL_MS;
    if (isDue && pageToken !== "") await this.#note();
  }

  /** Gives the complete file its name. Resolves once it is on disk. */
  async complete(): Promise<void> {
    await this.#handle.sync();
    await this.#close();
    await rename(partialOf(this.#path), this.#path);
    await removeExportState(stateOf(this.#path));
    await syncFolder(dirname(this.#path));
  }

  /** Saves the place and closes the partial file, unless it was completed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    try {
      if (this.#state.pageToken !== "") await this.#note();
    } finally {
      await this.#close();
    }
  }

  async #note(): Promise<void> {
    await this.#handle.datasync();
    await writeExportState(stateOf(this.#path), this.#state);
    this.#notedAtMs = performance.now();
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    await this.#handle.close();
  }
}

/** Returns whether the path is, or can become, a regular file. Any other, such as /dev/stdout, is written directly. */
export async function isRegularFile(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isDirectory()) throw new UsageError(`${path} is a folder, not a file`);
  return stats?.isFile() ?? true;
}

/** @throws UsageError when the partial file is of another format or filter. */
async function usableState(path: string, kind: ExportKind): Promise<ExportState | undefined> {
  const state = await readExportState(stateOf(path));
  const stats = await stat(partialOf(path)).catch(() => undefined);
  // A file that is shorter has lost its end in a power cut.
  if (!state || !stats?.isFile() || stats.size < state.bytes) return undefined;
  if (state.format === kind.format && state.filter === kind.filter) return state;
  const other = state.filter === kind.filter ? `format ${state.format}` : "another filter";
  throw new UsageError(
    `${partialOf(path)} is the beginning of an export with ${other}: go on with that, or add --restart to drop it`,
  );
}

function partialOf(path: string): string {
  return `${path}.partial`;
}

function stateOf(path: string): string {
  return `${partialOf(path)}.json`;
}

/** Makes a rename durable. Windows has no such call, and needs none. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

import { sha256 } from "@noble/hashes/sha2.js";
import { EmailTakenError, ValidationError } from "@rollcall/client";
import type { FileFormat } from "@rollcall/shared/users-file/file-format";
import { type ImportLine, identityOf, readImport, type UserLine } from "@rollcall/shared/users-file/import-lines";
import { client } from "../../api/client.ts";
import { describeError } from "../../api/errors.ts";
import { inParallel } from "../../api/in-parallel.ts";

/** Number of users that are created at a time. Over HTTP/1.1, a browser has six connections. */
const AT_ONCE = 16;
/** Largest piece of a file that counts as read before its lines are sent, in bytes. */
const PIECE_BYTES = 1_024;
/** Most faults that are kept to be shown. */
export const MAX_FAULTS = 100;

/** Progress of an import. */
export interface ImportState {
  readonly readBytes: number;
  /** Users that this import created, or an earlier one of the same file within a day. */
  readonly created: number;
  /** Users who were skipped, since their e-mails are already in the directory. */
  readonly skipped: number;
  readonly failed: number;
  /** The first {@link MAX_FAULTS} lines that failed, and why. */
  readonly faults: readonly { readonly line: number; readonly text: string }[];
}

export const NOTHING_IMPORTED: ImportState = { readBytes: 0, created: 0, skipped: 0, failed: 0, faults: [] };

export interface ImportOptions {
  format: FileFormat;
  /** Whether to skip users whose e-mail is already in the directory. */
  skipsExisting: boolean;
  signal: AbortSignal;
  onChange(state: ImportState): void;
}

/**
 * Creates the users of a file. Importing the same file again continues the import, and adds nobody twice.
 *
 * @throws UnreadableFileError, a DOMException when the file can't be read, or the error of a call that is not the fault
 * of its line.
 */
export async function importUsers(
  file: Blob,
  { format, skipsExisting, signal, onChange }: ImportOptions,
): Promise<void> {
  let state = NOTHING_IMPORTED;
  const update = (change: Partial<ImportState>) => {
    state = { ...state, ...change };
    onChange(state);
  };
  const fail = ({ line }: ImportLine, text: string) =>
    update({
      failed: state.failed + 1,
      ...(state.faults.length < MAX_FAULTS && { faults: [...state.faults, { line, text }] }),
    });
  const onRead = (bytes: number) => update({ readBytes: state.readBytes + bytes });
  await inParallel(readImport(bytesOf(file, onRead), format), AT_ONCE, async (line) => {
    signal.throwIfAborted();
    if ("problem" in line) return fail(line, `It ${line.problem}.`);
    const { email, name } = line;
    try {
      await client.users.create({ email, name, requestId: requestIdOf(line) }, { signal });
      update({ created: state.created + 1 });
    } catch (error) {
      if (skipsExisting && error instanceof EmailTakenError) update({ skipped: state.skipped + 1 });
      else if (error instanceof EmailTakenError || error instanceof ValidationError) fail(line, describeError(error));
      else throw error;
    }
  });
}

/**
 * Yields the bytes of a file in small pieces, and reports each. A browser reads 64 KiB at a time, some 2,000 users, so
 * that the progress of most files would be near its end before the first user is created.
 */
async function* bytesOf(file: Blob, onRead: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  const reader = file.stream().getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      for (let start = 0; start < value.byteLength; start += PIECE_BYTES) {
        const piece = value.subarray(start, start + PIECE_BYTES);
        onRead(piece.byteLength);
        yield piece;
      }
    }
  } finally {
    await reader.cancel();
  }
}

/** Returns the request id of a line, the same as that of `rollcall users import`. */
function requestIdOf(line: ImportLine & UserLine): string {
  const hash = sha256(new TextEncoder().encode(identityOf(line)));
  const base64 = btoa(String.fromCharCode(...hash));
  return `import:${base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
}

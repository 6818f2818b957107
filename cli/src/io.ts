import type { Readable } from "node:stream";
import type { ReadStream, WriteStream } from "node:tty";

/** A stream that may be a terminal. */
export type Input = Readable & Partial<Pick<ReadStream, "isTTY">>;
export type Output = NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns">>;

/** Environment of a command. */
export interface Io {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: NodeJS.ProcessEnv;
  /** Folder of the `.env` file and of `data`: the repository's root, or where the command is started. */
  readonly rootDir: string;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

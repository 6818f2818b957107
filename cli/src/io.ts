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
  /** The repository's root, with its `.env` file and the `data` folder. */
  readonly rootDir: string;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

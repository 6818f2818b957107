import { readFileSync } from "node:fs";
import type { ProgressOutput } from "@rollcall/shared/progress";
import type { Env } from "@rollcall/shared/settings/reader";
import type { FileSources } from "../config/tls.ts";

/** Environment of a command. */
export interface CommandIo extends FileSources {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: ProgressOutput;
  readonly env: Env;
  /** Folder that relative paths of files start from. */
  readonly workingDir: string;
  /** Variables that come from `.env`. */
  readonly namesInFile: readonly string[];
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Returns where files that a setting names are read from. */
export function fileSources(rootDir: string): FileSources {
  return { rootDir, readFile: (path) => readFileSync(path, "utf8") };
}

import type { LogOutput } from "./access-log.ts";

/** Lines are written at once when there are so many characters of them. */
const MAX_BATCH_LENGTH = 64 * 1_024;

export interface LineBatch extends LogOutput {
  /** Writes what has not been written: whoever ends the process has to call it. */
  flush(): void;
}

/**
 * Joins the lines of a turn of the event loop, so that many cost one write. A process
 * that is killed loses the lines of its last turn, 64 KiB at most.
 */
export function createLineBatch(output: LogOutput): LineBatch {
  let lines = "";
  const flush = () => {
    if (lines === "") return;
    const joined = lines;
    lines = "";
    output.write(joined);
  };
  return {
    flush,
    write(line) {
      if (lines === "") setImmediate(flush);
      lines += line;
      if (lines.length >= MAX_BATCH_LENGTH) flush();
    },
  };
}

import type { LogOutput } from "./access-log.ts";

/** Number of characters at which lines are written immediately. */
const MAX_BATCH_LENGTH = 64 * 1_024;

export interface LineBatch extends LogOutput {
  /** Writes the remaining lines. Must be called before the process ends. */
  flush(): void;
}

/**
 * Joins the lines of a turn of the event loop, so that many of them cost one write. A process that is killed loses the
 * lines of its last turn, 64 KiB at most.
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

import { addAbortSignal } from "node:stream";
import { linesOf } from "@rollcall/shared/users-file/lines";
import { type CursorFile, isResumeToken } from "./cursor-file.ts";
import { UsageError } from "./exit.ts";
import type { Input } from "./io.ts";

const LINE_LIMIT = { bytes: 8_192, text: "8 KiB" };

/**
 * Reads resume tokens, one a line, and moves the cursor to the place after each. They acknowledge the events that the
 * reader has applied. Events that it has not applied, or has lost with its process, are read again.
 *
 * @throws Error when the input ends, so that a supervisor of both programs starts them again.
 * @throws UsageError for a line that is not a resume token.
 */
export async function keepAcknowledged(input: Input, cursor: CursorFile, signal: AbortSignal): Promise<never> {
  for await (const { number, text, problem } of linesOf(addAbortSignal(signal, input), LINE_LIMIT)) {
    if (problem !== undefined || !isResumeToken(text)) {
      throw new UsageError(`line ${number} of the input ${problem ?? "is no resumeToken of an event"}`);
    }
    cursor.keep(text);
  }
  throw new Error("the acknowledgements have ended: start their sender again, and this");
}

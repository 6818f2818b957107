/** Exit codes of the command. */
export const Exit = {
  done: 0,
  /** The server refused or could not be reached, or the output could not be written. */
  refused: 1,
  /** Wrong usage: an option, an argument, a file that can't be read. */
  usage: 2,
  /** Ctrl-C, by the shells' convention for signals. */
  interrupted: 130,
  /** SIGTERM, likewise. */
  terminated: 143,
} as const;

/** The command can't work with an argument, option or file that it was given. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Ctrl-C ended the command. The message says what was done and what was not. */
export class InterruptedError extends Error {
  override name = "InterruptedError";
}

/** The command did as much as it could, and has reported the rest. */
export class PartlyDoneError extends Error {
  override name = "PartlyDoneError";
}

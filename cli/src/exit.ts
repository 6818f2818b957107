/** The command's exit codes. */
export const Exit = {
  done: 0,
  /** The server refused, or could not be reached, or the output could not be written. */
  refused: 1,
  /** Wrong usage: an option, an argument, a file that can't be read. */
  usage: 2,
  /** Ctrl-C, as shells count signals. */
  interrupted: 130,
  /** SIGTERM, likewise. */
  terminated: 143,
} as const;

/** The command was given something that it can't work with. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Ctrl-C ended the command; the message says what was and what was not done. */
export class InterruptedError extends Error {
  override name = "InterruptedError";
}

/** The command did what it could, and has reported what it could not. */
export class PartlyDoneError extends Error {
  override name = "PartlyDoneError";
}

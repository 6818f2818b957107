/** The arguments are not a valid command. The message says why. */
export class CommandUsageError extends Error {
  override name = "CommandUsageError";
}

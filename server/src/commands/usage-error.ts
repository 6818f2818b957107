/** The arguments make no command. The message says why. */
export class CommandUsageError extends Error {
  override name = "CommandUsageError";
}

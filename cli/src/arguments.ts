import { UsageError } from "./exit.ts";

/**
 * Refuses arguments with U+FFFD. Node.js puts it in place of bytes that are not UTF-8, and the original can't be
 * restored. The error does not quote the argument, which can be a token.
 *
 * @throws UsageError
 */
export function checkArguments(args: readonly string[]): void {
  const index = args.findIndex((argument) => argument.includes("\uFFFD"));
  if (index === -1) return;
  throw new UsageError(
    `argument ${index + 1} has U+FFFD, which stands for bytes that are not UTF-8: write it in UTF-8`,
  );
}

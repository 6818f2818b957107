/**
 * Returns a number with its noun, such as `1 user` and `2 users`.
 *
 * @param format Formats the number. Default: digits alone, which scripts can read.
 */
export function counted(count: number, noun: string, format: (count: number) => string = String): string {
  return `${format(count)} ${noun}${count === 1 ? "" : "s"}`;
}

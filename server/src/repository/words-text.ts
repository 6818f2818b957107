/**
 * Returns words as the column `words` has them: each behind a space, which no word contains. So ` ada` is found where a
 * word starts with it, and nowhere else.
 */
export function toWordsText(words: readonly string[]): string {
  return words.map((word) => ` ${word}`).join("");
}

/** Returns the words of such a text. */
export function toWords(text: string): string[] {
  return text.split(" ").slice(1);
}

/**
 * Returns words in the form of the column `words`: each with a space before it, which no word contains. A search for `
 * ada` thus finds words that start with it, and nothing else.
 */
export function toWordsText(words: readonly string[]): string {
  return words.map((word) => ` ${word}`).join("");
}

/** Returns the words of such a text. */
export function toWords(text: string): string[] {
  return text.split(" ").slice(1);
}

import { searchKey, type UserFields } from "./user.ts";

/** Characters that separate words: Unicode's white space, and those that separate the parts of e-mails and names. */
const SEPARATORS = /[\p{White_Space}@.\-_+]+/u;

/**
 * Returns the words by which a search finds a user: those of its name and e-mail, as search keys, without repetition.
 * The contract's 200 and 254 characters make at most 227 words.
 */
export function wordsOfUser({ email, name }: UserFields): string[] {
  return [...new Set([...split(name), ...split(email)])].sort();
}

/**
 * Returns the words of a filter, as search keys. A user matches if each of them is the start of one of the user's
 * words. Words that another one implies are left out: a user that matches "ada" matches "a" too. A filter of separators
 * alone has no words, and matches all users.
 */
export function wordsOfFilter(filter: string): string[] {
  // In this order, a word comes right before those that start with it.
  const words = [...new Set(split(filter))].sort();
  return words.filter((word, index) => !words[index + 1]?.startsWith(word));
}

/** Returns whether a user with the first words matches a filter with the second. */
export function matchesFilter(wordsOfUser: readonly string[], wordsOfFilter: readonly string[]): boolean {
  return wordsOfFilter.every((start) => wordsOfUser.some((word) => word.startsWith(start)));
}

function split(text: string): string[] {
  return searchKey(text)
    .split(SEPARATORS)
    .filter((word) => word !== "");
}

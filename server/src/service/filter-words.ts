import { InvalidArgumentError } from "../domain/errors.ts";
import { wordsOfFilter } from "../domain/user-words.ts";
import { MAX_FILTER_WORDS } from "../limits.ts";

/**
 * Returns the words of a filter, as search keys.
 *
 * @throws InvalidArgumentError for too many.
 */
export function filterWords(filter: string): string[] {
  const words = wordsOfFilter(filter);
  if (words.length > MAX_FILTER_WORDS) {
    const description = `has ${words.length} words; at most ${MAX_FILTER_WORDS} are possible`;
    throw new InvalidArgumentError("filter has too many words", [{ field: "filter", description }]);
  }
  return words;
}

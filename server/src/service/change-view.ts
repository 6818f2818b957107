import type { ChangePlace, LoggedChange } from "../domain/logged-change.ts";
import type { User } from "../domain/user.ts";
import { matchesFilter, wordsOfUser } from "../domain/user-words.ts";
import type { ResumeTokens } from "./resume-token.ts";
import { changeIdOf, signOf, type WatchEvent } from "./watch-event.ts";

/** A change with the words of its user, which are computed once for all filters. */
export class ReadChange {
  readonly change: LoggedChange;
  #before: readonly string[] | undefined;
  #after: readonly string[] | undefined;

  constructor(change: LoggedChange) {
    this.change = change;
  }

  matchedBefore(words: readonly string[]): boolean {
    const { before } = this.change;
    if (!before || words.length === 0) return before !== undefined;
    this.#before ??= wordsOfUser(before);
    return matchesFilter(this.#before, words);
  }

  matchesAfter(words: readonly string[]): boolean {
    const { after } = this.change;
    if (!after || words.length === 0) return after !== undefined;
    this.#after ??= wordsOfUser(after);
    return matchesFilter(this.#after, words);
  }
}

/** Changes of one database as a filter shows them. */
export class ChangeView {
  readonly epoch: string;
  readonly words: readonly string[];
  readonly filter: string;
  readonly #tokens: ResumeTokens;

  constructor(tokens: ResumeTokens, epoch: string, words: readonly string[]) {
    this.#tokens = tokens;
    this.epoch = epoch;
    this.words = words;
    this.filter = filterTextOf(words);
  }

  /**
   * Returns the event of a change, or undefined if its user doesn't match. A user that begins to match is "created";
   * one that no longer matches is "removed".
   *
   * @param canResume Whether a stream can resume after it.
   */
  eventOf(read: ReadChange, canResume = true): WatchEvent | undefined {
    const { userId, place, after } = read.change;
    const wasThere = read.matchedBefore(this.words);
    const isThere = read.matchesAfter(this.words);
    if (!wasThere && !isThere) return undefined;
    const kind = isThere ? (wasThere ? "updated" : "created") : "removed";
    const user: User | undefined = isThere ? after : undefined;
    const resumeToken = canResume ? this.tokenOf(place) : "";
    return { kind, user, userId, resumeToken, changeId: changeIdOf(this.epoch, place), place };
  }

  matches(user: User): boolean {
    return this.words.length === 0 || matchesFilter(wordsOfUser(user), this.words);
  }

  progress(place: ChangePlace): WatchEvent {
    return signOf("progress", place, this.tokenOf(place));
  }

  tokenOf(place: ChangePlace): string {
    return this.#tokens.encode(this.epoch, place, this.filter);
  }
}

/** Returns the text that resume tokens are bound to: the same for filters that find the same users. */
export function filterTextOf(words: readonly string[]): string {
  return JSON.stringify(words);
}

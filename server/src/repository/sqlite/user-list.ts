import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { User } from "../../domain/user.ts";
import { BY_CREATION } from "../../domain/user-order.ts";
import { MAX_SEARCHES_AT_ONCE } from "../../limits.ts";
import { hasTimeInTurn, nextSharedTurn, timeInTurn } from "../../runtime/loop-turn.ts";
import { Permits } from "../../runtime/permits.ts";
import { rangeOf } from "../key-range.ts";
import type { CountOptions, ListOptions } from "../user-repository.ts";
import {
  BEHIND_TEXT,
  ListStatements,
  type OrderStatements,
  type Place,
  toUser,
  type UserRow,
} from "./list-statements.ts";
import { Pace } from "./pace.ts";

/** Most users with one word that are sorted. If more match, a walk in order finds them soon. */
const MAX_SORTED = 1_000;
/**
 * The same for the rarest of several words, at some 2 microseconds for each user. It is higher, since few of them may
 * have the other words.
 */
const MAX_INTERSECTED = 5_000;
/** Most users that one slice returns, at some 2 microseconds each. */
export const MAX_SLICE_USERS = 256;
/** Rows that the first slice reads: some 0.2 microseconds each, and a hundred times that from a cold disk. */
export const FIRST_SLICE_ROWS = 512;
/** The same in an order in which each row is at another place on disk. */
const FIRST_SCATTERED_ROWS = 64;

interface Search {
  readonly statements: OrderStatements;
  readonly needles: readonly string[];
  readonly after: Place;
  readonly limit: number;
  /** Rows that the first slice of a walk reads. */
  readonly firstRows: number;
  readonly signal: AbortSignal | undefined;
}

/** Users to check, by row. */
interface Candidates {
  readonly rows: readonly number[];
  /** Whether these are all candidates. */
  readonly isComplete: boolean;
}

/** Returned if there are too many to check one by one. */
const NO_CANDIDATES: Candidates = { rows: [], isComplete: false };

/**
 * Reads pages of the directory in slices of about a millisecond. SQLite runs on the event loop, and a search may read
 * every user. Between slices, others get a turn, and a caller can give up through its signal.
 *
 * A search with a rare word sorts the users who have it. Any other search walks in the requested order until the page
 * is full. A walk may read all users, in a fifth of a second for a million. Sorting could take as long.
 *
 * A user that exists, matches and keeps its place throughout the search is in the page: the walk finds it, and the
 * candidates to sort are selected at a single moment.
 */
export class SqliteUserList {
  readonly #statements: ListStatements;
  readonly #entries: StatementSync;
  readonly #countEntries: StatementSync;
  readonly #countDistinct: StatementSync;
  readonly #countUsers: StatementSync;
  readonly #lastRow: StatementSync;
  readonly #walks = new Permits(MAX_SEARCHES_AT_ONCE);

  constructor(database: DatabaseSync) {
    const prepare = (sql: string) => {
      const statement = database.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    this.#statements = new ListStatements(database);
    const entries = "FROM user_words WHERE word >= ? AND word < ? LIMIT ?";
    this.#entries = prepare(`SELECT json_group_array(user) FROM (SELECT user ${entries})`);
    this.#countEntries = prepare(`SELECT count(*) FROM (SELECT 1 ${entries})`);
    this.#countDistinct = prepare(`SELECT count(*), count(DISTINCT user) FROM (SELECT user ${entries})`);
    this.#countUsers = prepare("SELECT count(*) FROM (SELECT 1 FROM users LIMIT ?)");
    this.#lastRow = prepare("SELECT coalesce(max(row), 0) FROM users");
  }

  /** @throws The signal's reason, within a slice of its abort. */
  async page({ after, limit, words = [], order = BY_CREATION, signal }: ListOptions): Promise<User[]> {
    if (!hasTimeInTurn()) await timeInTurn();
    signal?.throwIfAborted();
    const statements = this.#statements.of(order, words.length);
    const search: Search = {
      ...{ statements, limit, signal, needles: toNeedles(words), after: after ?? statements.start },
      firstRows: order.by === "createdAt" ? FIRST_SLICE_ROWS : FIRST_SCATTERED_ROWS,
    };
    if (words.length === 0) return this.#walk(search);
    const most = words.length === 1 ? MAX_SORTED : MAX_INTERSECTED;
    const { rows, isComplete } = await this.#candidates(words, most, signal);
    if (isComplete && rows.length <= MAX_SORTED) return this.#sort(search, rows);
    return this.#whilePermitted(signal, () => (isComplete ? this.#sort(search, rows) : this.#walk(search)));
  }

  /** @throws The signal's reason, within a slice of its abort. */
  async count({ words = [], limit, signal }: CountOptions): Promise<number> {
    if (!hasTimeInTurn()) await timeInTurn();
    signal?.throwIfAborted();
    if (words.length === 0) return firstNumber(this.#countUsers.get(limit));
    const { among, between } = this.#statements.counts(words.length);
    const needles = toNeedles(words);
    const [word = ""] = words;
    if (words.length === 1) {
      const { start, end } = rangeOf(word);
      const counts = this.#countDistinct.get(start, end ?? BEHIND_TEXT, limit + 1) as unknown;
      const [entries, users] = counts as [number, number];
      // If not, many entries belong to users that have several words with this start.
      if (entries <= limit || users >= limit) return Math.min(users, limit);
    }
    const { rows, isComplete } =
      words.length === 1 ? NO_CANDIDATES : await this.#candidates(words, MAX_INTERSECTED, signal);
    return this.#whilePermitted(signal, () => {
      if (isComplete) {
        return this.#sum(rows.length, limit, signal, (from, to) =>
          firstNumber(among.get(JSON.stringify(rows.slice(from, to)), ...needles)),
        );
      }
      const last = firstNumber(this.#lastRow.get());
      return this.#sum(last, limit, signal, (from, to) => firstNumber(between.get(from, to, ...needles)));
    });
  }

  /** Returns the users with the rarest of the words, and whether they are all. */
  async #candidates(words: readonly string[], most: number, signal: AbortSignal | undefined): Promise<Candidates> {
    let rarest = rangeOf(words[0] ?? "");
    if (words.length > 1) {
      let fewest = most + 1;
      for (const word of words) {
        if (!hasTimeInTurn()) await timeInTurn();
        signal?.throwIfAborted();
        const range = rangeOf(word);
        const entries = firstNumber(this.#countEntries.get(range.start, range.end ?? BEHIND_TEXT, fewest));
        if (entries < fewest) [rarest, fewest] = [range, entries];
      }
      if (fewest > most) return NO_CANDIDATES;
      if (!hasTimeInTurn()) await timeInTurn();
      signal?.throwIfAborted();
    }
    const [json] = this.#entries.get(rarest.start, rarest.end ?? BEHIND_TEXT, most + 1) as unknown as [string];
    const entries = JSON.parse(json) as number[];
    // A user can have several words with the same start.
    return { rows: [...new Set(entries)], isComplete: entries.length <= most };
  }

  async #whilePermitted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    await this.#walks.acquire(signal);
    try {
      // A permit is passed on within the turn of the search that had it.
      if (!hasTimeInTurn()) await timeInTurn();
      signal?.throwIfAborted();
      return await work();
    } finally {
      this.#walks.release();
    }
  }

  async #sort({ statements, after, limit, needles, signal }: Search, candidates: readonly number[]): Promise<User[]> {
    const pace = new Pace(FIRST_SLICE_ROWS);
    let found: UserRow[] = [];
    for (let done = 0; done < candidates.length; ) {
      if (done > 0) await nextSharedTurn();
      signal?.throwIfAborted();
      pace.run((rows) => {
        const some = candidates.slice(done, done + Math.min(rows, MAX_SLICE_USERS));
        const more = statements.matching.all(after.value, after.id, JSON.stringify(some), limit, ...needles);
        found = [...found, ...(more as unknown as UserRow[])].sort(statements.compare).slice(0, limit);
        done += some.length;
      });
    }
    return found.map(toUser);
  }

  async #walk({ after, firstRows, ...search }: Search): Promise<User[]> {
    const { limit, needles, signal } = search;
    const pace = new Pace(firstRows);
    const users: User[] = [];
    for (let place: Place | undefined = after; ; ) {
      const from: Place = place;
      place = pace.run((rows) => this.#slice(search, from, rows, users));
      if (!place || users.length >= limit) return users;
      // Without a filter a few slices fill the page; with one it may take thousands.
      await (needles.length > 0 ? nextSharedTurn() : timeInTurn());
      signal?.throwIfAborted();
    }
  }

  /** Adds the users of one slice to `users`. Returns the place where the next slice begins, or undefined at the end. */
  #slice(
    { statements, limit, needles }: Pick<Search, "statements" | "limit" | "needles">,
    from: Place,
    rows: number,
    users: User[],
  ): Place | undefined {
    let most = Math.min(limit - users.length, MAX_SLICE_USERS);
    let end: Place | undefined;
    let found: UserRow[];
    if (needles.length === 0) {
      // Every row is a user of the page, so no more than the page's size is read.
      most = Math.min(most, rows);
      found = statements.walk.all(from.value, from.id, most) as unknown as UserRow[];
    } else {
      const ahead = statements.placeAhead.get(from.value, from.id, rows - 1) as unknown as [string, string] | undefined;
      end = ahead && { value: ahead[0], id: ahead[1] };
      const to = end ?? statements.end;
      const places = [from.value, from.id, to.value, to.id];
      found = statements.walkMatching.all(...places, most, ...needles) as unknown as UserRow[];
    }
    for (const row of found) users.push(toUser(row));
    const last = found.at(-1);
    return last && found.length === most ? statements.placeOf(last) : end;
  }

  /** Adds up the results of `count` for slices of numbers above `from` and up to `to`. Stops at the limit. */
  async #sum(
    total: number,
    limit: number,
    signal: AbortSignal | undefined,
    count: (from: number, to: number) => number,
  ): Promise<number> {
    const pace = new Pace(FIRST_SLICE_ROWS);
    let sum = 0;
    for (let done = 0; done < total && sum < limit; ) {
      if (done > 0) await nextSharedTurn();
      signal?.throwIfAborted();
      pace.run((rows) => {
        sum += count(done, done + rows);
        done += rows;
      });
    }
    return Math.min(sum, limit);
  }
}

/** Returns the parts of a user's column `words` that show words with these starts (`stored-words.ts`). */
function toNeedles(words: readonly string[]): string[] {
  return words.map((word) => ` ${word}`);
}

function firstNumber(row: unknown): number {
  return (row as [number])[0];
}

import { abortable } from "@rollcall/shared/abortable";
import type { User } from "../../domain/user.ts";
import { BY_CREATION, type Cursor, type UserOrder } from "../../domain/user-order.ts";
import { MAX_SEARCHES_AT_ONCE } from "../../limits.ts";
import { Permits } from "../../runtime/permits.ts";
import { queryTrace } from "../../runtime/query-trace.ts";
import { rangeOf } from "../key-range.ts";
import type { CountOptions, ListOptions } from "../user-repository.ts";
import type { PostgresPool } from "./pool.ts";
import { USER_COLUMNS } from "./statements.ts";
import { withTraceComment } from "./trace-comment.ts";

/**
 * Most entries of one word whose users are sorted, at some 4 microseconds each. With more entries, a walk by creation
 * finds users soon. In other orders a walk reads each row from another place on disk, so sorting pays for longer.
 */
const MAX_SORTED = { createdAt: 1_000, other: 10_000 };
/** The same for the rarest of several words. It is higher, since few of its users may have the other words. */
const MAX_INTERSECTED = 10_000;
/**
 * Rows that a walk reads. If they do not fill the page, reading all users from end to end is faster than continuing.
 */
const MAX_WALKED = { createdAt: 100_000, other: 5_000 };

const COLUMNS = {
  createdAt: { name: "created_at_ms", type: "bigint", unindexed: "created_at_ms + 0" },
  updatedAt: { name: "updated_at_ms", type: "bigint", unindexed: "updated_at_ms + 0" },
  name: { name: "name_key", type: "text", unindexed: "name_key || ''" },
  email: { name: "email_key", type: "text", unindexed: "email_key || ''" },
} as const;

/**
 * Reads pages of the directory, each by one statement, which sees one moment. A search with a rare word sorts the users
 * who have it. Any other search walks in the requested order; if that does not fill the page soon, another statement
 * reads all users, and sorts those that match.
 *
 * The statements have no names: the server would soon plan named ones without their values, and then can't know that a
 * page is short or a word is rare.
 */
export class PostgresUserList {
  readonly #pool: PostgresPool;
  readonly #searches: Permits;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
    // Leaves half of the connections to others while searches are slow.
    this.#searches = new Permits(Math.min(MAX_SEARCHES_AT_ONCE, Math.floor(pool.maxConnections / 2)));
  }

  /** @throws The signal's reason, as soon as it is aborted. */
  async page({ words = [], signal, ...options }: ListOptions): Promise<User[]> {
    if (words.length > 0) return this.#search(signal, () => this.#find(words, { ...options, signal }));
    signal?.throwIfAborted();
    const { order = BY_CREATION, after, limit } = options;
    const query = new Query();
    const text = `SELECT ${USER_COLUMNS} FROM users WHERE ${query.behind(order, after)} ${by(order)} LIMIT ${query.add(limit)}`;
    return whileWanted(this.#read<User>(query, text), signal);
  }

  /** @throws The signal's reason, as soon as it is aborted. */
  async count({ words = [], limit, signal }: CountOptions): Promise<number> {
    if (words.length > 0) return this.#search(signal, () => this.#count(words, { limit, signal }));
    signal?.throwIfAborted();
    const query = new Query();
    const rows = this.#read<Count>(query, `SELECT ${countOf("true", query.add(limit))} AS count`);
    return (await whileWanted(rows, signal))[0]?.count ?? 0;
  }

  async #find(words: readonly string[], { order = BY_CREATION, after, limit, signal }: ListOptions): Promise<User[]> {
    const kind = order.by === "createdAt" ? order.by : "other";
    const rarest = await this.#rarest(words, words.length === 1 ? MAX_SORTED[kind] : MAX_INTERSECTED, signal);
    const query = new Query();
    const [behind, matches, most] = [query.behind(order, after), query.haveAll(words), query.add(limit)];
    const sort = (few: string) =>
      `SELECT ${USER_COLUMNS} FROM users WHERE ${few} AND ${behind} AND ${matches} ${by(order, false)} LIMIT ${most}`;
    if (rarest !== undefined) {
      return this.#read(query, `WITH few AS MATERIALIZED (${query.entries(rarest)}) ${sort(AMONG_FEW)}`, signal);
    }
    const walked = `SELECT * FROM users WHERE ${behind} ${by(order)} LIMIT ${query.add(MAX_WALKED[kind])}`;
    const text = `SELECT ${USER_COLUMNS} FROM (${walked}) AS users WHERE ${matches} ${by(order)} LIMIT ${most}`;
    const users = await this.#read<User>(query, text, signal);
    if (users.length === limit) return users;
    query.values.pop();
    return this.#read(query, sort("true"), signal);
  }

  async #count(words: readonly string[], { limit, signal }: CountOptions): Promise<number> {
    if (words.length === 1) {
      const query = new Query();
      const entries = query.entries(words[0] ?? "", limit + 1);
      const text = `SELECT count(*) AS entries, count(DISTINCT user_id) AS count FROM (${entries}) AS entries`;
      const [found = { entries: 0, count: 0 }] = await this.#read<Count & { entries: number }>(query, text, signal);
      // If not, many entries belong to users that have several words with this start.
      if (found.entries <= limit || found.count >= limit) return Math.min(found.count, limit);
    }
    const rarest = await this.#rarest(words, MAX_INTERSECTED, signal);
    const query = new Query();
    const [matches, most] = [query.haveAll(words), query.add(limit)];
    const text =
      rarest === undefined
        ? `SELECT ${countOf(matches, most)} AS count`
        : `WITH few AS MATERIALIZED (${query.entries(rarest)})
          SELECT ${countOf(`${AMONG_FEW} AND ${matches}`, most)} AS count`;
    return (await this.#read<Count>(query, text, signal))[0]?.count ?? 0;
  }

  /** Returns the word with the fewest entries; undefined if each has more than `most`. */
  async #rarest(words: readonly string[], most: number, signal?: AbortSignal): Promise<string | undefined> {
    const query = new Query();
    const counts = words.map((word) => `(SELECT count(*) FROM (${query.entries(word, most + 1)}) AS entries)`);
    const [row] = await this.#read<{ counts: number[] }>(
      query,
      `SELECT ARRAY[${counts.join(", ")}]::int[] AS counts`,
      signal,
    );
    const fewest = Math.min(...(row?.counts ?? []));
    return fewest > most ? undefined : words[row?.counts.indexOf(fewest) ?? 0];
  }

  async #read<T extends object>(query: Query, text: string, signal?: AbortSignal): Promise<T[]> {
    signal?.throwIfAborted();
    return this.#pool.query<T>(withTraceComment({ text }, queryTrace()), query.values);
  }

  /**
   * Runs a search when few others run. A caller that gives up returns immediately; only a statement that already runs
   * is read to its end.
   */
  async #search<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    await this.#searches.acquire(signal);
    return whileWanted(
      work().finally(() => this.#searches.release()),
      signal,
    );
  }
}

interface Count {
  readonly count: number;
}

const AMONG_FEW = "id IN (SELECT user_id FROM few)";

function countOf(condition: string, limit: string): string {
  return `(SELECT count(*) FROM (SELECT FROM users WHERE ${condition} LIMIT ${limit}) AS found)`;
}

/** Conditions of a statement, and the values of its parameters. */
class Query {
  readonly values: unknown[] = [];

  add(value: unknown): string {
    return `$${this.values.push(value)}`;
  }

  /** Adds the condition that a user comes after a place. */
  behind({ by, descending }: UserOrder, after: Cursor | undefined): string {
    if (!after) return "true";
    const { name, type } = COLUMNS[by];
    return `(${name}, id) ${descending ? "<" : ">"} (${this.add(after.value)}::${type}, ${this.add(after.id)})`;
  }

  /** Adds the condition that a user has words with all starts. The column has a space before each word. */
  haveAll(starts: readonly string[]): string {
    return starts.map((start) => `strpos(words, ${this.add(` ${start}`)}) > 0`).join(" AND ");
  }

  /** Selects the users of words with this start. A user can have several such words. */
  entries(start: string, limit?: number): string {
    const range = rangeOf(start);
    const upTo = range.end === undefined ? "" : `AND word < ${this.add(range.end)}`;
    const most = limit === undefined ? "" : `LIMIT ${this.add(limit)}`;
    return `SELECT user_id FROM user_words WHERE word >= ${this.add(range.start)} ${upTo} ${most}`;
  }
}

/** @param useIndex Whether the order may come from an index. If not, users are sorted. */
function by({ by, descending }: UserOrder, useIndex = true): string {
  const direction = descending ? "DESC" : "ASC";
  const { name, unindexed } = COLUMNS[by];
  return `ORDER BY ${useIndex ? name : unindexed} ${direction}, id ${direction}`;
}

/** Rejects as soon as the signal is aborted. The statement continues, but nobody waits for it. */
function whileWanted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return signal ? abortable(work, signal) : work;
}

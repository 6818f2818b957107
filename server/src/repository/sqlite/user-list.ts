import type { DatabaseSync } from "node:sqlite";
import type { User } from "../../domain/user.ts";
import { MAX_SEARCHES_AT_ONCE } from "../../limits.ts";
import { hasTimeInTurn, nextSharedTurn, timeInTurn } from "../../runtime/loop-turn.ts";
import { Permits } from "../../runtime/permits.ts";
import type { Cursor, ListOptions } from "../user-repository.ts";

/** Most users of one index range that are sorted; where more match, walking by creation meets them soon. */
const MAX_SORTED = 1_000;
/** Most users in one slice's answer: some 2 microseconds each. */
const MAX_SLICE_USERS = 256;
/** Rows that a slice looks at, to begin with: some 0.2 microseconds each, a hundred times that from a cold disk. */
const FIRST_SLICE_ROWS = 512;
const MIN_SLICE_ROWS = 16;
const MAX_SLICE_ROWS = 8_192;
/** A slice that took less lets the next one grow; one that took twice as much lets it shrink. In milliseconds. */
const SLICE_MS = 1;

const BEGINNING: Cursor = { createdAtMs: -1, id: "" };
const END: Cursor = { createdAtMs: Number.MAX_SAFE_INTEGER, id: "" };
const LAST_CODE_POINT = 0x10ffff;

/** A user, as the columns of a statement. */
export const USER_COLUMNS = "id, email, name, created_at_ms AS createdAtMs, updated_at_ms AS updatedAtMs, version";

/** Search keys from `start` on, and before `end`. */
interface KeyRange {
  readonly start: string;
  readonly end: string | Uint8Array;
}

/**
 * Pages of the directory, read in slices of about a millisecond. SQLite runs on the
 * event loop, and a search can look at every user there is; so between slices others
 * have a turn, and who asks for a page can leave by its signal.
 *
 * A search whose index ranges hold few users sorts those. Else it walks in the order
 * of creation until the page is full. The walk can meet all users, at a fifth of a
 * second for a million; to sort what is in the ranges could take as long, and what
 * is renamed meanwhile would have to be caught.
 *
 * A user that is there and matches all the while is in the page: its place never
 * changes, so the walk meets it, and the candidates to sort are taken at one moment.
 */
export class SqliteUserList {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #walks = new Permits(MAX_SEARCHES_AT_ONCE);

  constructor(database: DatabaseSync) {
    this.#statements = prepareStatements(database);
  }

  /** @throws The signal's reason, within a slice of its abort. */
  async page({ after = BEGINNING, limit, prefix, signal }: ListOptions): Promise<User[]> {
    if (!hasTimeInTurn()) await timeInTurn();
    signal?.throwIfAborted();
    if (prefix === "") return this.#walk(after, limit, undefined, signal);
    const range = rangeOf(prefix);
    const candidates = this.#candidates(range);
    if (candidates) return this.#sort(candidates, after, limit, range, signal);
    await this.#walks.acquire(signal);
    try {
      return await this.#walk(after, limit, range, signal);
    } finally {
      this.#walks.release();
    }
  }

  /** The rows in either range; undefined when they are many. */
  #candidates({ start, end }: KeyRange): number[] | undefined {
    const byEmail = this.#statements.rowsByEmail.all(start, end, MAX_SORTED + 1);
    if (byEmail.length > MAX_SORTED) return undefined;
    const byName = this.#statements.rowsByName.all(start, end, MAX_SORTED + 1);
    if (byName.length > MAX_SORTED) return undefined;
    return [...new Set([...byEmail, ...byName].map(({ row }) => Number(row)))];
  }

  async #sort(
    candidates: readonly number[],
    { createdAtMs, id }: Cursor,
    limit: number,
    { start, end }: KeyRange,
    signal: AbortSignal | undefined,
  ): Promise<User[]> {
    const pace = new Pace();
    let users: User[] = [];
    for (let done = 0; done < candidates.length; ) {
      if (done > 0) await nextSharedTurn();
      signal?.throwIfAborted();
      pace.run((rows) => {
        const some = candidates.slice(done, done + Math.min(rows, MAX_SLICE_USERS));
        const rowsJson = JSON.stringify(some);
        const found = this.#statements.matching.all(rowsJson, createdAtMs, id, start, end, start, end, limit);
        users = [...users, ...(found as unknown as User[])].sort(byPlace).slice(0, limit);
        done += some.length;
      });
    }
    return users;
  }

  async #walk(
    after: Cursor,
    limit: number,
    range: KeyRange | undefined,
    signal: AbortSignal | undefined,
  ): Promise<User[]> {
    const pace = new Pace();
    const users: User[] = [];
    for (let place: Cursor | undefined = after; ; ) {
      const from: Cursor = place;
      place = pace.run((rows) => this.#slice(from, rows, limit, range, users));
      if (!place || users.length >= limit) return users;
      // Without a filter some slices fill the page; with one it may take thousands.
      await (range ? nextSharedTurn() : timeInTurn());
      signal?.throwIfAborted();
    }
  }

  /** Adds the users of one slice to `users`; returns the place where the next one begins, or undefined at the end. */
  #slice(from: Cursor, rows: number, limit: number, range: KeyRange | undefined, users: User[]): Cursor | undefined {
    const { placeAhead, walk, walkMatching } = this.#statements;
    const end = placeAhead.get(from.createdAtMs, from.id, rows - 1) as unknown as Cursor | undefined;
    const to = end ?? END;
    const most = Math.min(limit - users.length, MAX_SLICE_USERS);
    const places = [from.createdAtMs, from.id, to.createdAtMs, to.id];
    const found = range
      ? walkMatching.all(...places, range.start, range.end, range.start, range.end, most)
      : walk.all(...places, most);
    users.push(...(found as unknown as User[]));
    return found.length === most ? users.at(-1) : end;
  }
}

/** How many rows a slice looks at, by how long the slices before it took. */
class Pace {
  #rows = FIRST_SLICE_ROWS;

  run<T>(slice: (rows: number) => T): T {
    const startedAtMs = performance.now();
    const result = slice(this.#rows);
    const tookMs = performance.now() - startedAtMs;
    if (tookMs < SLICE_MS) this.#rows = Math.min(this.#rows * 2, MAX_SLICE_ROWS);
    else if (tookMs > 2 * SLICE_MS) this.#rows = Math.max(this.#rows >> 1, MIN_SLICE_ROWS);
    return result;
  }
}

/** All keys that start with the prefix. SQLite compares text by its UTF-8 bytes, which is the order of code points. */
function rangeOf(prefix: string): KeyRange {
  const codePoints = Array.from(prefix, (char) => char.codePointAt(0) ?? 0);
  while (codePoints.at(-1) === LAST_CODE_POINT) codePoints.pop();
  const last = codePoints.pop();
  // Nothing but last code points: no text ends the range, and every blob sorts behind every text.
  if (last === undefined) return { start: prefix, end: new Uint8Array() };
  // Surrogates are no characters, and nothing is stored as one.
  const next = last === 0xd7ff ? 0xe000 : last + 1;
  return { start: prefix, end: String.fromCodePoint(...codePoints, next) };
}

function byPlace(a: User, b: User): number {
  return a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1);
}

function prepareStatements(database: DatabaseSync) {
  const matches = "((email_key >= ? AND email_key < ?) OR (name_key >= ? AND name_key < ?))";
  // INDEXED BY: with another plan a slice would not be a slice.
  const walk = (condition: string) =>
    database.prepare(`
      SELECT ${USER_COLUMNS} FROM users INDEXED BY users_by_creation
      WHERE (created_at_ms, id) > (?, ?) AND (created_at_ms, id) <= (?, ?) ${condition}
      ORDER BY created_at_ms, id LIMIT ?`);
  return {
    // From the indexes alone, which have the row's number.
    rowsByEmail: database.prepare("SELECT rowid AS row FROM users WHERE email_key >= ? AND email_key < ? LIMIT ?"),
    rowsByName: database.prepare(
      "SELECT rowid AS row FROM users INDEXED BY users_by_name WHERE name_key >= ? AND name_key < ? LIMIT ?",
    ),
    matching: database.prepare(`
      SELECT ${USER_COLUMNS} FROM users
      WHERE rowid IN (SELECT value FROM json_each(?)) AND (+created_at_ms, +id) > (?, ?) AND ${matches}
      ORDER BY created_at_ms, id LIMIT ?`),
    placeAhead: database.prepare(`
      SELECT created_at_ms AS createdAtMs, id FROM users INDEXED BY users_by_creation
      WHERE (created_at_ms, id) > (?, ?) ORDER BY created_at_ms, id LIMIT 1 OFFSET ?`),
    walk: walk(""),
    walkMatching: walk(`AND ${matches}`),
  };
}

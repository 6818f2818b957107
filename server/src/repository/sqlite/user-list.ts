import type { DatabaseSync } from "node:sqlite";
import type { User } from "../../domain/user.ts";
import { MAX_SEARCHES_AT_ONCE } from "../../limits.ts";
import { hasTimeInTurn, nextSharedTurn, timeInTurn } from "../../runtime/loop-turn.ts";
import { Permits } from "../../runtime/permits.ts";
import type { Cursor, ListOptions } from "../user-repository.ts";

/** Most users of one index range that are sorted. If more match, a walk in the order of creation meets them soon. */
const MAX_SORTED = 1_000;
/** Most users in one slice's answer: some 2 microseconds each. */
export const MAX_SLICE_USERS = 256;
/** Rows that the first slice looks at: some 0.2 microseconds each, a hundred times that from a cold disk. */
const FIRST_SLICE_ROWS = 512;
const MIN_SLICE_ROWS = 16;
const MAX_SLICE_ROWS = 8_192;
/**
 * Target duration of a slice, in milliseconds. After a shorter slice the next one grows; after one of twice the target
 * it shrinks.
 */
const SLICE_MS = 1;

export const BEGINNING: Cursor = { createdAtMs: -1, id: "" };
const END: Cursor = { createdAtMs: Number.MAX_SAFE_INTEGER, id: "" };
const LAST_CODE_POINT = 0x10ffff;

/** Columns of a user in a statement. */
export const USER_COLUMNS = "id, email, name, created_at_ms AS createdAtMs, updated_at_ms AS updatedAtMs, version";

/** The same columns of one user. */
export type UserRow = [
  id: string,
  email: string,
  name: string,
  createdAtMs: number,
  updatedAtMs: number,
  version: number,
];

/** Search keys from `start` up to, but without, `end`. */
interface KeyRange {
  readonly start: string;
  readonly end: string | Uint8Array;
}

/**
 * Reads pages of the directory in slices of about a millisecond. SQLite runs on the event loop, and a search may look
 * at every user. So others get a turn between slices, and a caller can give up through its signal.
 *
 * A search whose index ranges hold few users sorts those. Otherwise it walks in the order of creation until the page is
 * full. A walk may meet all users, at a fifth of a second for a million. Sorting the ranges could take as long, and
 * would miss users that are renamed meanwhile.
 *
 * A user that exists and matches all the while is in the page: its place never changes, so the walk meets it, and the
 * candidates to sort are selected at a single moment.
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

  /** Returns the rows in either range, or undefined if there are many. */
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
      // Without a filter a few slices fill the page; with one it may take thousands.
      await (range ? nextSharedTurn() : timeInTurn());
      signal?.throwIfAborted();
    }
  }

  /** Adds the users of one slice to `users`. Returns the place where the next slice begins, or undefined at the end. */
  #slice(from: Cursor, rows: number, limit: number, range: KeyRange | undefined, users: User[]): Cursor | undefined {
    const { placeAhead, walk, walkMatching } = this.#statements;
    let most = Math.min(limit - users.length, MAX_SLICE_USERS);
    if (!range) {
      most = Math.min(most, rows);
      // Every row is a user of the page.
      const found = walk.all(from.createdAtMs, from.id, most) as unknown as UserRow[];
      for (const row of found) users.push(toUser(row));
      return found.length === most ? users.at(-1) : undefined;
    }
    const end = placeAhead.get(from.createdAtMs, from.id, rows - 1) as unknown as Cursor | undefined;
    const to = end ?? END;
    const places = [from.createdAtMs, from.id, to.createdAtMs, to.id];
    const found = walkMatching.all(...places, range.start, range.end, range.start, range.end, most);
    users.push(...(found as unknown as User[]));
    return found.length === most ? users.at(-1) : end;
  }
}

/** Adapts the number of rows in a slice to the time that earlier slices took. */
export class Pace {
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

/**
 * Returns the range of all keys that start with the prefix. SQLite compares text by its UTF-8 bytes, which is the order
 * of code points.
 */
function rangeOf(prefix: string): KeyRange {
  const codePoints = Array.from(prefix, (char) => char.codePointAt(0) ?? 0);
  while (codePoints.at(-1) === LAST_CODE_POINT) codePoints.pop();
  const last = codePoints.pop();
  // The prefix has only last code points, so no text ends the range. A blob does, since blobs sort behind all text.
  if (last === undefined) return { start: prefix, end: new Uint8Array() };
  // Surrogates are not characters, and are never stored as such.
  const next = last === 0xd7ff ? 0xe000 : last + 1;
  return { start: prefix, end: String.fromCodePoint(...codePoints, next) };
}

export function toUser([id, email, name, createdAtMs, updatedAtMs, version]: UserRow): User {
  return { id, email, name, createdAtMs, updatedAtMs, version };
}

function byPlace(a: User, b: User): number {
  return a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1);
}

function prepareStatements(database: DatabaseSync) {
  const matches = "((email_key >= ? AND email_key < ?) OR (name_key >= ? AND name_key < ?))";
  // INDEXED BY: with another plan a slice would read more than its rows.
  const walk = (condition: string) =>
    database.prepare(`
      SELECT ${USER_COLUMNS} FROM users INDEXED BY users_by_creation
      WHERE (created_at_ms, id) > (?, ?) ${condition}
      ORDER BY created_at_ms, id LIMIT ?`);
  const walkAll = walk("");
  // Objects made by SQLite's binding take a fifth longer.
  walkAll.setReturnArrays(true);
  return {
    // Reads the indexes alone, which contain the rowid.
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
    walk: walkAll,
    walkMatching: walk(`AND (created_at_ms, id) <= (?, ?) AND ${matches}`),
  };
}

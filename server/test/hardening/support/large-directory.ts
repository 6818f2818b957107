/** Large directory in an SQLite file, and the pages that one query each finds in it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect } from "vitest";
import { type Cursor, placeOf, type UserOrder } from "../../../src/domain/user-order.ts";
import { wordsOfFilter } from "../../../src/domain/user-words.ts";
import { openSqliteUserRepository } from "../../../src/repository/sqlite/user-repository.ts";
import type { UserRepository } from "../../../src/repository/user-repository.ts";

export const USERS = 500_000;

export interface LargeDirectory extends AsyncDisposable {
  readonly path: string;
  readonly repository: UserRepository;
  readonly control: Control;
  /** Time for which one query for one letter held the loop, in milliseconds. */
  readonly controlMs: number;
}

/** Fills a database with {@link USERS} users, which takes some seconds, and opens it. */
export async function createLargeDirectory(): Promise<LargeDirectory> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-"));
  const path = join(folder, "users.db");
  await openSqliteUserRepository({ path }).close();
  fill(path);
  const repository = openSqliteUserRepository({ path });
  const control = createControl(path);
  return {
    path,
    repository,
    control,
    controlMs: control.holdMs("p", 51),
    async [Symbol.asyncDispose]() {
      control.close();
      await repository.close();
      rmSync(folder, { recursive: true });
    },
  };
}

export interface Control {
  /** Sorts all matching users by one query, as this server once did. Returns its processor time in milliseconds. */
  holdMs(word: string, limit: number): number;
  /** Returns the ids of the page, by a query so simple that it must be right. */
  ids(words: readonly string[], order: UserOrder, after: Cursor | undefined, limit: number): string[];
  /** Returns the number of users that match. */
  count(words: readonly string[]): number;
  close(): void;
}

/**
 * Fills the directory. The newer half of the users have e-mails and names with p…, in random order; a thousand others
 * are spread evenly. Half of all users are even, the others odd, and nobody is both.
 */
function fill(path: string): void {
  const database = new DatabaseSync(path);
  database.exec(`
    PRAGMA synchronous = OFF;
    PRAGMA cache_size = -200000;
    BEGIN;
    CREATE TEMP TABLE made AS
    WITH RECURSIVE counter (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM counter WHERE i + 1 < ${USERS})
    SELECT i,
      printf('%s%08x', iif(i < ${USERS / 2}, 'user', 'p'), i * 2654435761 % 4294967296) AS box,
      CASE WHEN i % 500 = 0 THEN 'rare' WHEN i < ${USERS / 2} THEN 'anna' ELSE 'paul' END AS first,
      iif(i % 2, 'odd', 'even') AS last
    FROM counter;
    INSERT INTO users (id, email, email_key, name, name_key, words, created_at_ms, updated_at_ms, version)
    SELECT printf('%08x-0000-7000-8000-%012x', i / 16, i), email, email, name, name,
      printf(' %s %s %s com', first, last, box), 1e12 + i / 10, 1e12 + i * 7919 % ${USERS}, 1
    FROM (SELECT *, box || '@com' AS email, printf('%s %s', first, last) AS name FROM made);
    INSERT INTO user_words (word, user)
    SELECT word, i + 1 FROM (
      SELECT i, first AS word FROM made UNION ALL SELECT i, last FROM made UNION ALL SELECT i, box FROM made
      UNION ALL SELECT i, 'com' FROM made
    ) ORDER BY word, i;
    COMMIT`);
  database.close();
}

const COLUMNS = { createdAt: "created_at_ms", updatedAt: "updated_at_ms", name: "name_key", email: "email_key" };

function createControl(path: string): Control {
  const database = new DatabaseSync(path);
  const sorting = database.prepare(`
    SELECT * FROM users
    WHERE id IN (SELECT id FROM user_words CROSS JOIN users ON row = user WHERE word >= ? AND word < ?)
    ORDER BY created_at_ms, id LIMIT ?`);
  const columns = ["id", ...Object.values(COLUMNS)].join();
  database.exec("PRAGMA temp_store = MEMORY");
  let found: readonly string[] | undefined;
  /** Finds all users that match the words, once for the many questions about them. */
  const find = (words: readonly string[]) => {
    if (words === found) return;
    found = words;
    const matches = words.map((word) => ` AND ' ' || name || ' ' || replace(email, '@', ' ') LIKE '% ${word}%'`);
    database.exec(`
      DROP TABLE IF EXISTS temp.found;
      CREATE TEMP TABLE found AS SELECT ${columns} FROM users WHERE 1 ${matches.join("")}`);
  };
  return {
    holdMs(word, limit) {
      const startedAt = process.threadCpuUsage();
      sorting.all(word, `${word}\u{10FFFF}`, limit);
      return cpuMsSince(startedAt);
    },
    ids(words, { by, descending }, after, limit) {
      find(words);
      const place = after ? ` AND (${COLUMNS[by]}, id) ${descending ? "<" : ">"} (?, ?)` : "";
      const direction = descending ? "DESC" : "ASC";
      const simple = database.prepare(`
        SELECT id FROM temp.found WHERE 1 ${place}
        ORDER BY ${COLUMNS[by]} ${direction}, id ${direction} LIMIT ${limit}`);
      return simple.all(...(after ? [after.value, after.id] : [])).map((row) => String(row.id));
    },
    count(words) {
      find(words);
      return Number(database.prepare("SELECT count(*) AS n FROM temp.found").get()?.n);
    },
    close: () => database.close(),
  };
}

/** Returns this thread's processor time since the start, in milliseconds. */
export function cpuMsSince(startedAt: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(startedAt);
  return (user + system) / 1_000;
}

/** Runs `work`. Resolves with the processor time of the event loop's longest turns meanwhile, in milliseconds. */
export async function longestTurns(work: () => Promise<unknown>): Promise<number[]> {
  const turnsMs: number[] = [];
  let done = false;
  let startedAt = process.threadCpuUsage();
  const turn = () => {
    turnsMs.push(cpuMsSince(startedAt));
    startedAt = process.threadCpuUsage();
    if (!done) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  done = true;
  await new Promise((resolve) => setImmediate(resolve));
  return turnsMs.sort((a, b) => b - a).slice(0, 10);
}

/**
 * Filters: none, frequent and rare words, words that do not follow any order, words that nobody has, and frequent words
 * that nobody has together.
 */
const FILTERS = [
  "",
  "p",
  "rare",
  "u",
  "user4999",
  "p1",
  "com",
  "anna odd",
  "nobody",
  "even odd",
  "com rare",
  "anna nobody",
];
export const ORDERS = (["createdAt", "updatedAt", "name", "email"] as const).flatMap((by) => [
  { by, descending: false },
  { by, descending: true },
]);
/** Users at whose places pages begin. */
const PLACES = [USERS / 2 - 1, USERS - 10];

/**
 * Lists pages of filters and orders, and expects the users that one query gives. Returns the longest turn of the event
 * loop for each page, in milliseconds.
 *
 * @param isAsked Returns whether to test a pair of filter and order, by their indices.
 */
export async function longestTurnsOfPages(
  { repository, control }: LargeDirectory,
  isAsked: (filter: number, order: number) => boolean,
): Promise<[string, number][]> {
  const turns: [string, number][] = [];
  const placed = await repository.findMany(
    PLACES.map((i) => `${(i >> 4).toString(16).padStart(8, "0")}-0000-7000-8000-${i.toString(16).padStart(12, "0")}`),
  );
  for (const [index, filter] of FILTERS.entries()) {
    const words = wordsOfFilter(filter);
    for (const [number, order] of ORDERS.entries()) {
      if (!isAsked(index, number)) continue;
      // Each filter and each order meets every place and size, but not in all combinations.
      const limit = (index + number) % 2 ? 51 : 1_001;
      const user = placed[(index + (number >> 1)) % 3];
      const after = user && placeOf(user, order);
      const page = `"${filter}" by ${order.by}, ${order.descending}, from ${after?.value}, ${limit}`;
      let ids: string[] = [];
      const [ms = 0] = await longestTurns(async () => {
        ids = (await repository.list({ words, order, after, limit })).map(({ id }) => id);
      });
      turns.push([page, ms]);
      expect(ids, page).toEqual(control.ids(words, order, after, limit));
    }
    let count = 0;
    const [ms = 0] = await longestTurns(async () => {
      count = await repository.count({ words, limit: 10_001 });
    });
    turns.push([`count of "${filter}"`, ms]);
    expect(count, filter).toBe(Math.min(control.count(words), 10_001));
  }
  return turns;
}

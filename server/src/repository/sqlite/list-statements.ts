import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { User } from "../../domain/user.ts";
import type { UserOrder } from "../../domain/user-order.ts";

/** Blob that sorts after all text. */
export const BEHIND_TEXT = new Uint8Array();

/** Columns of a user in a statement. */
export const USER_COLUMNS = "id, email, name, created_at_ms AS createdAtMs, updated_at_ms AS updatedAtMs, version";

/** The same columns of one user. In an order by text they are followed by its key. */
export type UserRow = [
  id: string,
  email: string,
  name: string,
  createdAtMs: number,
  updatedAtMs: number,
  version: number,
  key?: string,
];

export function toUser([id, email, name, createdAtMs, updatedAtMs, version]: UserRow): User {
  return { id, email, name, createdAtMs, updatedAtMs, version };
}

/** Place in an order, or after all text. */
export interface Place {
  readonly value: number | string | Uint8Array;
  readonly id: string;
}

const ORDERS = {
  createdAt: {
    column: "created_at_ms",
    at: 3,
    index: "users_by_creation",
    isUnique: false,
    first: Number.MIN_SAFE_INTEGER,
  },
  updatedAt: {
    column: "updated_at_ms",
    at: 4,
    index: "users_by_update",
    isUnique: false,
    first: Number.MIN_SAFE_INTEGER,
  },
  name: { column: "name_key", at: 6, index: "users_by_name", isUnique: false, first: "" },
  // The index has no ids, since no two users have the same e-mail.
  email: { column: "email_key", at: 6, index: "users_by_email", isUnique: true, first: "" },
} as const;

/** Statements of one order. Rows come as arrays: objects made by SQLite's binding take a fifth longer. */
export interface OrderStatements {
  /** Places before the first and after the last user. */
  readonly start: Place;
  readonly end: Place;
  /** Returns the place of a user. */
  placeOf(row: UserRow): Place;
  /** Users after a place: (value, id, limit). */
  readonly walk: StatementSync;
  /** The place a given number of users after another: (value, id, number - 1). */
  readonly placeAhead: StatementSync;
  /** Matching users after a place, up to another: (value, id, value, id, limit, ...needles). */
  readonly walkMatching: StatementSync;
  /** Matching users after a place among given rows: (value, id, rows as JSON, limit, ...needles). */
  readonly matching: StatementSync;
  /** Compares two users by their places. */
  compare(a: UserRow, b: UserRow): number;
}

/**
 * Prepares the statements of lists when they are first needed. There are some for each order and number of words, and
 * both of these are few.
 */
export class ListStatements {
  readonly #database: DatabaseSync;
  readonly #orders = new Map<string, OrderStatements>();
  readonly #counts = new Map<number, { among: StatementSync; between: StatementSync }>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  of({ by, descending }: UserOrder, words: number): OrderStatements {
    const key = `${by} ${descending} ${words}`;
    const statements = this.#orders.get(key) ?? this.#prepare(by, descending, words);
    this.#orders.set(key, statements);
    return statements;
  }

  /**
   * Returns statements that count matching users: among rows (JSON, ...needles), and between two rows (row, row,
   * ...needles).
   */
  counts(words: number): { among: StatementSync; between: StatementSync } {
    const statements = this.#counts.get(words) ?? {
      among: this.#arrays(`
        SELECT count(*) FROM users WHERE row IN (SELECT value FROM json_each(?1)) ${matches(words, 2)}`),
      between: this.#arrays(`SELECT count(*) FROM users WHERE row > ?1 AND row <= ?2 ${matches(words, 3)}`),
    };
    this.#counts.set(words, statements);
    return statements;
  }

  #prepare(by: UserOrder["by"], descending: boolean, words: number): OrderStatements {
    const { column, at, index, isUnique, first } = ORDERS[by];
    const [behind, upTo, direction] = descending ? ["<", ">=", "DESC"] : [">", "<=", "ASC"];
    const columns = at === 6 ? `${USER_COLUMNS}, ${column}` : USER_COLUMNS;
    const inOrder = `ORDER BY ${column} ${direction}${isUnique ? "" : `, id ${direction}`}`;
    const relation = (operator: string, value: string, id: string) =>
      isUnique ? `${column} ${operator} ${value}` : `(${column}, id) ${operator} (${value}, ${id})`;
    // INDEXED BY: with another plan, a slice would read more than its own rows.
    const source = `FROM users INDEXED BY ${index} WHERE ${relation(behind, "?1", "?2")}`;
    const least = { value: first, id: "" };
    const greatest = { value: typeof first === "number" ? Number.MAX_SAFE_INTEGER : BEHIND_TEXT, id: "" };
    const sign = descending ? -1 : 1;
    return {
      start: descending ? greatest : least,
      end: descending ? least : greatest,
      placeOf: (row) => ({ value: row[at] ?? "", id: row[0] }),
      compare: (a, b) => sign * (compare(a[at], b[at]) || compare(a[0], b[0])),
      walk: this.#arrays(`SELECT ${columns} ${source} ${inOrder} LIMIT ?3`),
      placeAhead: this.#arrays(`SELECT ${column}, id ${source} ${inOrder} LIMIT 1 OFFSET ?3`),
      walkMatching: this.#arrays(`
        SELECT ${columns} ${source} AND ${relation(upTo, "?3", "?4")} ${matches(words, 6)} ${inOrder} LIMIT ?5`),
      // NOT INDEXED makes SQLite look up the rows; with the order's index it could read all users.
      matching: this.#arrays(`
        SELECT ${columns} FROM users NOT INDEXED
        WHERE row IN (SELECT value FROM json_each(?3)) AND ${relation(behind, "?1", "?2")} ${matches(words, 5)}
        ${inOrder} LIMIT ?4`),
    };
  }

  #arrays(sql: string): StatementSync {
    const statement = this.#database.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  }
}

/**
 * Returns the condition that a user has words with all needles. A needle is a space and the start of a word; its
 * parameters are numbered from `first` on.
 */
function matches(words: number, first: number): string {
  return Array.from({ length: words }, (_, index) => `AND instr(words, ?${first + index})`).join(" ");
}

/** Compares numbers, or texts by their code points, as SQLite does. */
function compare(a: string | number | undefined = "", b: string | number | undefined = ""): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [first, second] = [String(a), String(b)];
  if (first === second) return 0;
  let at = 0;
  while (first.charCodeAt(at) === second.charCodeAt(at)) at += 1;
  return rankOf(first, at) - rankOf(second, at);
}

/**
 * Returns the rank of a UTF-16 unit among code points: a surrogate is above U+FFFF and so comes after it. The end of a
 * text comes first.
 */
function rankOf(text: string, at: number): number {
  if (at >= text.length) return -1;
  const unit = text.charCodeAt(at);
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

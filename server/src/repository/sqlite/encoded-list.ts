import type { DatabaseSync } from "node:sqlite";
import type { User } from "../../domain/user.ts";
import type { Cursor } from "../../domain/user-order.ts";
import { hasTimeInTurn, timeInTurn } from "../../runtime/loop-turn.ts";
import type { ByteTarget, EncodedList, EncodedListOptions, EncodeUser } from "../user-repository.ts";
import { EncodedRows } from "./encoded-rows.ts";
import { toUser, USER_COLUMNS, type UserRow } from "./list-statements.ts";
import { Pace } from "./pace.ts";
import { FIRST_SLICE_ROWS, MAX_SLICE_USERS } from "./user-list.ts";

/** Attempts to read a slice while another process keeps changing the database. */
const MAX_ATTEMPTS = 3;

/** Place before all users. */
const BEGINNING: Cursor = { value: Number.MIN_SAFE_INTEGER, id: "" };

/** Part of a page. */
interface Slice {
  /** Rows of its users, in order. */
  readonly rows: readonly number[];
  /**
   * Place of the last of them or, without any, the place that the slice began after; undefined at the end of the
   * directory.
   */
  readonly place: Cursor | undefined;
  /** Whether there is another user that does not fit into the page. */
  readonly isOver: boolean;
}

/**
 * Reads pages of the directory in the order of creation, encoded. Most of a page's cost is bringing its columns into
 * JavaScript. Only the rowids therefore come from SQLite, as one text and from the index alone; users that are already
 * encoded come from memory. Rowids may serve as keys, since as the column `row` they never change.
 *
 * A user in memory always equals the one in the database. A trigger of this connection reports every change that the
 * connection makes. A commit of another connection shows in `data_version`, and then the whole memory is cleared. If
 * the reads of a page did not all see one state of the database, the page is read again.
 */
export class SqliteEncodedList {
  readonly #database: DatabaseSync;
  readonly #rows = new EncodedRows();
  readonly #statements: ReturnType<typeof prepareStatements>;
  #encode: EncodeUser | undefined;
  #version: number | undefined;

  constructor(database: DatabaseSync) {
    this.#database = database;
    watchChanges(database, (row) => this.#rows.forget(row));
    this.#statements = prepareStatements(database);
  }

  /**
   * Returns undefined if the users have to be read one by one.
   *
   * @throws The signal's reason, within a slice of its abort.
   */
  async page({ after, limit, encode, target, signal }: EncodedListOptions): Promise<EncodedList | undefined> {
    const pace = new Pace(FIRST_SLICE_ROWS);
    if (!hasTimeInTurn()) await timeInTurn();
    for (let [from, room]: [Cursor, number] = [after ?? BEGINNING, limit]; ; await timeInTurn()) {
      signal?.throwIfAborted();
      const start: Cursor = from;
      const slice = pace.run((rows) => this.#append(start, Math.min(rows, MAX_SLICE_USERS), room, encode, target));
      if (!slice) return undefined;
      if (!slice.place || slice.isOver) return { next: slice.place };
      from = slice.place;
      room -= slice.rows.length;
    }
  }

  #keepFor(encode: EncodeUser): void {
    if (encode === this.#encode) return;
    this.#encode = encode;
    this.#rows.clear();
  }

  /** Appends the encoded users of one slice to `target`, at most `room` of them. */
  #append(from: Cursor, most: number, room: number, encode: EncodeUser, target: ByteTarget): Slice | undefined {
    // A transaction may still be rolled back.
    if (this.#database.isTransaction) return undefined;
    this.#rows.makeRoom();
    this.#keepFor(encode);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const slice = this.#slice(from, most, room);
      const slots = slice.rows.map((row) => this.#rows.slotOf(row));
      const read = slots.includes(undefined)
        ? this.#read(slice.rows.filter((_, index) => slots[index] === undefined))
        : undefined;
      const { version } = this.#statements.version.get() as { version: number };
      if (version !== this.#version) {
        this.#version = version;
        this.#rows.clear();
        continue;
      }
      if (!read) this.#rows.copy(slots as number[], target);
      else this.#appendRead(slice.rows, slots, read, encode, target);
      return slice;
    }
    return undefined;
  }

  /** Finds the rows of one slice. */
  #slice(from: Cursor, most: number, room: number): Slice {
    const count = Math.min(most, room + 1);
    const { found } = this.#statements.rows.get(from.value, from.id, count) as { found: string };
    const rows: number[] = JSON.parse(found);
    const isOver = rows.length > room;
    if (isOver) rows.pop();
    const last = rows.at(-1);
    const isEnd = !isOver && rows.length < count;
    if (isEnd || last === undefined) return { rows, place: isEnd ? undefined : from, isOver };
    return { rows, place: this.#statements.place.get(last) as unknown as Cursor | undefined, isOver };
  }

  #read(rows: readonly number[]): Map<number, User> {
    const read = this.#statements.users.all(JSON.stringify(rows)) as unknown as [row: number, ...UserRow][];
    return new Map(read.map(([row, ...user]) => [row, toUser(user)]));
  }

  #appendRead(
    rows: readonly number[],
    slots: readonly (number | undefined)[],
    read: ReadonlyMap<number, User>,
    encode: EncodeUser,
    target: ByteTarget,
  ): void {
    for (const [index, row] of rows.entries()) {
      const slot = slots[index];
      if (slot !== undefined) {
        this.#rows.copy([slot], target);
        continue;
      }
      const user = read.get(row);
      if (!user) continue;
      const encoding = encode(user);
      this.#rows.add(row, encoding);
      target.append(encoding);
    }
  }
}

/** Calls `onChange` with the rowid of each user that this connection changes or removes. */
function watchChanges(database: DatabaseSync, onChange: (row: number) => void): void {
  database.function("user_changed", (row) => {
    onChange(Number(row));
    return null;
  });
  // Only with this setting does the trigger see rows that are removed because others replace them (REPLACE).
  database.exec(`
    PRAGMA recursive_triggers = ON;
    CREATE TEMP TRIGGER user_updated AFTER UPDATE ON main.users BEGIN SELECT user_changed(OLD.rowid); END;
    CREATE TEMP TRIGGER user_deleted AFTER DELETE ON main.users BEGIN SELECT user_changed(OLD.rowid); END`);
}

function prepareStatements(database: DatabaseSync) {
  const users = database.prepare(`
    SELECT rowid, ${USER_COLUMNS} FROM users WHERE rowid IN (SELECT value FROM json_each(?))`);
  users.setReturnArrays(true);
  return {
    // Reads only the index. The rows keep the order of the inner query: SQLite drops an inner ORDER BY only if there is
    // no LIMIT.
    rows: database.prepare(`
      SELECT json_group_array(row) AS found FROM (
        SELECT rowid AS row FROM users INDEXED BY users_by_creation
        WHERE (created_at_ms, id) > (?, ?) ORDER BY created_at_ms, id LIMIT ?
      )`),
    place: database.prepare("SELECT created_at_ms AS value, id FROM users WHERE rowid = ?"),
    version: database.prepare("SELECT data_version AS version FROM pragma_data_version"),
    users,
  };
}

import type { DatabaseSync } from "node:sqlite";
import type { User } from "../../domain/user.ts";
import type { Cursor } from "../../domain/user-order.ts";
import { hasTimeInTurn, timeInTurn } from "../../runtime/loop-turn.ts";
import type { ByteTarget, EncodedList, EncodedListOptions, EncodeUser } from "../user-repository.ts";
import { EncodedRows } from "./encoded-rows.ts";
import { toUser, USER_COLUMNS, type UserRow } from "./list-statements.ts";
import { Pace } from "./pace.ts";
import { FIRST_SLICE_ROWS, MAX_SLICE_USERS } from "./user-list.ts";

/** Times that a slice is read again because another process has changed the database meanwhile. */
const MAX_ATTEMPTS = 3;

/** Place ahead of all users. */
const BEGINNING: Cursor = { value: Number.MIN_SAFE_INTEGER, id: "" };

/** Part of a page. */
interface Slice {
  /** Rows of its users, in order. */
  readonly rows: readonly number[];
  /** Place of the last of them, or the one that the slice began behind; undefined at the end of the directory. */
  readonly place: Cursor | undefined;
  /** Whether there is a user that the page has no room for. */
  readonly isOver: boolean;
}

/**
 * Reads pages of the directory in the order of creation, encoded. Most of what a page costs is its columns on their way
 * into JavaScript. So only the rowids come from SQLite, as one text and out of the index alone, and the users that are
 * encoded already from memory. Rowids may serve as keys: as the column `row` they never change.
 *
 * A user in memory is the one in the database. A trigger of this connection reports all that it changes, whatever
 * changes it. A commit of another connection shows in `data_version`, and then all are forgotten. A page whose reads
 * were not all of one state of the database is read again.
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
   * Returns undefined where the users have to be read one by one.
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
    // A transaction may yet take back its writes.
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
  // A row that takes another's place (REPLACE) removes it by the trigger only with this setting.
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
    // Reads the index alone. The rows keep the order of the inner query: SQLite leaves out an ORDER BY only without LIMIT.
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

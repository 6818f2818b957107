import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Author, ChangePlace, LoggedChange } from "../../domain/logged-change.ts";
import type { User } from "../../domain/user.ts";
import type {
  ChangeHistory,
  ChangeLog,
  ChangeLogHead,
  ChangePage,
  HistoryOptions,
  ReadOptions,
  TrimOptions,
  UnreadChanges,
} from "../change-log.ts";

/** Digits of a place, in base 36: enough for numbers up to 2^53. */
const PLACE_DIGITS = 11;

export interface SqliteChangeLogOptions {
  /** Runs a query if the database is usable, and translates SQLite's errors. */
  read<T>(query: () => T): T;
  /** Runs a write in a transaction with others. */
  write<T>(write: () => T): Promise<T>;
}

interface ChangeRow {
  readonly id: number;
  readonly userId: string;
  readonly atMs: number;
  readonly subject: string;
  readonly before: string | null;
  readonly after: string | null;
}

/**
 * The table `changes`. SQLite has one writer at a time, so the order of its AUTOINCREMENT ids is the order of commits.
 * An id is never used again, even after a removal. Only the oldest changes are removed, so the ids have no gaps.
 */
export class SqliteChangeLog implements ChangeLog {
  /** Nearly all changes are this process's own: another process shares the file only during a restart. */
  readonly pollIntervalMs = 1_000;
  readonly #options: SqliteChangeLogOptions;
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #listeners = new Set<() => void>();

  constructor(database: DatabaseSync, options: SqliteChangeLogOptions) {
    this.#options = options;
    this.#statements = prepareStatements(database);
  }

  /** Logs a change, in the transaction that makes it. */
  add({ subject, atMs }: Author, before: User | undefined, after: User | undefined): void {
    const { id } = (after ?? before) as User;
    this.#statements.insert.run(id, atMs, subject, toText(before), toText(after));
  }

  /** Notifies listeners that changes were committed. */
  committed(): void {
    for (const wake of this.#listeners) wake();
  }

  async head(): Promise<ChangeLogHead> {
    return this.#options.read(() => {
      const last = toPlace(this.#lastId());
      return { ...this.#state(), settled: last, written: last };
    });
  }

  async read({ after, limit }: ReadOptions): Promise<ChangePage> {
    return this.#options.read(() => {
      const rows = this.#statements.read.all(toId(after), limit) as unknown as ChangeRow[];
      const changes = rows.map(toChange);
      // The state is read second, in case another process trims the log or adds to it in between.
      return { changes, place: changes.at(-1)?.place ?? after, ...this.#state() };
    });
  }

  async unread(after: ChangePlace | undefined): Promise<UnreadChanges | undefined> {
    if (after === undefined) return undefined;
    const row = this.#options.read(() => this.#statements.next.get(toId(after))) as { atMs: number } | undefined;
    return row && { sinceMs: row.atMs, heldUpBy: undefined };
  }

  async history({ userId, before, limit }: HistoryOptions): Promise<ChangeHistory> {
    return this.#options.read(() => {
      const beforeId = before === undefined ? Number.MAX_SAFE_INTEGER : toId(before);
      const rows = this.#statements.history.all(userId, beforeId, limit) as unknown as ChangeRow[];
      return { changes: rows.map(toChange), ...this.#state() };
    });
  }

  trim({ notBeforeMs, maxCount, limit }: TrimOptions): Promise<number> {
    return this.#options.write(() => {
      const rows = this.#statements.oldest.all(limit) as unknown as { id: number; atMs: number }[];
      const maxId = this.#lastId() - maxCount;
      const kept = rows.findIndex(({ id, atMs }) => id > maxId && atMs >= notBeforeMs);
      const last = rows[(kept === -1 ? rows.length : kept) - 1];
      return last ? Number(this.#statements.remove.run(last.id).changes) : 0;
    });
  }

  onCommit(wake: () => void): () => void {
    this.#listeners.add(wake);
    return () => this.#listeners.delete(wake);
  }

  #lastId(): number {
    return Number(this.#statements.lastId.get()?.id ?? 0);
  }

  #state(): { epoch: string; keptBehind: ChangePlace } {
    const firstId = this.#statements.firstId.get()?.id as number | undefined;
    const epoch = String(this.#statements.epoch.get()?.value);
    // If no change is left, all up to the last id are gone.
    return { epoch, keptBehind: toPlace(firstId === undefined ? this.#lastId() : firstId - 1) };
  }
}

function toPlace(id: number): ChangePlace {
  return id.toString(36).padStart(PLACE_DIGITS, "0");
}

function toId(place: ChangePlace): number {
  return Number.parseInt(place, 36);
}

function toText(user: User | undefined): string | null {
  return user ? JSON.stringify(user) : null;
}

function toChange({ id, userId, subject, atMs, before, after }: ChangeRow): LoggedChange {
  const toUser = (text: string | null) => (text === null ? undefined : (JSON.parse(text) as User));
  return { place: toPlace(id), userId, author: { subject, atMs }, before: toUser(before), after: toUser(after) };
}

function prepareStatements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  const columns = "id, user_id AS userId, changed_at_ms AS atMs, changed_by AS subject, before, after";
  return {
    insert: prepare("INSERT INTO changes (user_id, changed_at_ms, changed_by, before, after) VALUES (?, ?, ?, ?, ?)"),
    read: prepare(`SELECT ${columns} FROM changes WHERE id > ? ORDER BY id LIMIT ?`),
    next: prepare("SELECT changed_at_ms AS atMs FROM changes WHERE id > ? ORDER BY id LIMIT 1"),
    history: prepare(`
      SELECT ${columns} FROM changes INDEXED BY changes_by_user
      WHERE user_id = ? AND id < ? ORDER BY id DESC LIMIT ?`),
    firstId: prepare("SELECT id FROM changes ORDER BY id LIMIT 1"),
    lastId: prepare("SELECT seq AS id FROM sqlite_sequence WHERE name = 'changes'"),
    oldest: prepare("SELECT id, changed_at_ms AS atMs FROM changes ORDER BY id LIMIT ?"),
    remove: prepare("DELETE FROM changes WHERE id <= ?"),
    epoch: prepare("SELECT value FROM properties WHERE name = 'change_epoch'"),
  };
}

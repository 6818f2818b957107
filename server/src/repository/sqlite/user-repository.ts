import type { DatabaseSync, StatementSync } from "node:sqlite";
import { DatabaseUnavailableError, StaleUserError, UserNotFoundError } from "../../domain/errors.ts";
import { searchKey, type User } from "../../domain/user.ts";
import { wordsOfUser } from "../../domain/user-words.ts";
import { hasTimeInTurn, timeInTurn } from "../../runtime/loop-turn.ts";
import { type RememberedRequest, replay } from "../replay.ts";
import { createCommitStats } from "../stats.ts";
import {
  type Awaitable,
  type CountOptions,
  type EncodedList,
  type EncodedListOptions,
  type IdempotencyKey,
  type ListOptions,
  nobody,
  type UserChange,
  type UserRepository,
} from "../user-repository.ts";
import { toWordsText } from "../words-text.ts";
import { WriteCheck } from "../write-check.ts";
import { SqliteChangeLog } from "./change-log.ts";
import { SqliteEncodedList } from "./encoded-list.ts";
import { isBusy, isCorrupt, isUnavailable } from "./errors.ts";
import { GroupCommit } from "./group-commit.ts";
import { toUser, USER_COLUMNS, type UserRow } from "./list-statements.ts";
import { type OpenSqliteOptions, openSqlite } from "./open.ts";
import { StoredWords } from "./stored-words.ts";
import { SqliteUserList } from "./user-list.ts";
import { SqliteWatch } from "./watch.ts";

/** Expired create requests that each create removes. It removes more than it adds, so that they can't pile up. */
const PURGED_WITH_EACH_CREATE = 4;

export interface SqliteOptions extends OpenSqliteOptions {
  /** File, created with its folder if missing, or ":memory:". */
  path: string;
}

/**
 * Opens the database, brings its schema up to date, checks that it is durable, and watches its files.
 *
 * @throws DatabaseOpenError when the file can't be used, is another program's, or was made by a newer Rollcall.
 */
export function openSqliteUserRepository({ path, ...options }: SqliteOptions): UserRepository {
  const database = openSqlite(path, options);
  return new SqliteUserRepository(database, new SqliteWatch({ database, path, onNotice: options.onNotice }));
}

class SqliteUserRepository implements UserRepository {
  readonly changes: SqliteChangeLog;
  readonly #database: DatabaseSync;
  readonly #watch: SqliteWatch;
  readonly #writes: GroupCommit;
  readonly stats = createCommitStats("sqlite");
  readonly #writeCheck = new WriteCheck((bytes) => this.#run(() => this.#statements.writeCheck.run(bytes)));
  readonly #list: SqliteUserList;
  readonly #encodedList: SqliteEncodedList;
  readonly #words: StoredWords;
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(database: DatabaseSync, watch: SqliteWatch) {
    this.#database = database;
    this.#watch = watch;
    this.#statements = prepareStatements(database);
    this.#list = new SqliteUserList(database);
    this.#encodedList = new SqliteEncodedList(database);
    this.#words = new StoredWords(database);
    this.changes = new SqliteChangeLog(database, {
      read: (query) => this.#read(query),
      write: (write) => this.#run(write),
    });
    this.#writes = new GroupCommit(database, {
      maxBatch: 1_024,
      maxHoldMs: 5,
      maxPending: 16_384,
      isUnavailable: (error) => isUnavailable(error) || isCorrupt(error),
      isBusy,
      busyTimeoutMs: 1_000,
      verify: () => watch.check(),
      sizes: this.stats.commitSizes,
    });
  }

  find(id: string): Awaitable<User | undefined> {
    try {
      return this.#read(() => this.#find(id));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async findMany(ids: readonly string[]): Promise<(User | undefined)[]> {
    return this.#use(async () => {
      if (!hasTimeInTurn()) await timeInTurn();
      const rows = this.#statements.findMany.all(JSON.stringify(ids)) as unknown as UserRow[];
      const users = new Map(rows.map((row) => [row[0], toUser(row)]));
      return ids.map((id) => users.get(id));
    });
  }

  async list(options: ListOptions): Promise<User[]> {
    return this.#use(() => this.#list.page(options));
  }

  async listEncoded(options: EncodedListOptions): Promise<EncodedList | undefined> {
    return this.#use(() => this.#encodedList.page(options));
  }

  async count(options: CountOptions): Promise<number> {
    return this.#use(() => this.#list.count(options));
  }

  insert(user: User, idempotencyKey?: IdempotencyKey, author = nobody(user.createdAtMs)): Promise<User> {
    return this.#write(() => {
      const replayed = idempotencyKey && this.#replay(idempotencyKey);
      if (replayed) return replayed;
      const words = toWordsText(wordsOfUser(user));
      const { lastInsertRowid } = this.#statements.insert.run(
        user.id,
        user.email,
        searchKey(user.email),
        user.name,
        searchKey(user.name),
        words,
        user.createdAtMs,
        user.updatedAtMs,
        user.version,
      );
      this.#words.replace(lastInsertRowid, "", words);
      if (idempotencyKey) this.#remember(idempotencyKey, user);
      this.changes.add(author, undefined, user);
      return user;
    });
  }

  update(id: string, change: UserChange, expectedVersion?: number, author = nobody(change.updatedAtMs)): Promise<User> {
    return this.#write(() => {
      const user = this.#expect(id, expectedVersion);
      const updated: User = {
        ...user,
        email: change.email ?? user.email,
        name: change.name ?? user.name,
        // Even if the clock was set back, a user's time of change must not decrease.
        updatedAtMs: Math.max(change.updatedAtMs, user.updatedAtMs),
        version: user.version + 1,
      };
      const { email, name, updatedAtMs, version } = updated;
      // An unchanged e-mail keeps its key, even one that no new e-mail could get (`refresh-search-keys.ts`).
      const emailKey = email === user.email ? null : searchKey(email);
      const stored = this.#storedWords(id);
      const words = toWordsText(wordsOfUser(updated));
      this.#statements.update.run(email, emailKey, name, searchKey(name), words, updatedAtMs, version, id);
      this.#words.replace(stored.row, stored.words, words);
      this.changes.add(author, user, updated);
      return updated;
    });
  }

  delete(id: string, expectedVersion?: number, author = nobody(Date.now())): Promise<void> {
    return this.#write(() => {
      const user = this.#expect(id, expectedVersion);
      const { row, words } = this.#storedWords(id);
      this.#words.replace(row, words, "");
      this.#statements.delete.run(id);
      this.changes.add(author, user, undefined);
    });
  }

  async pageTokenKey(): Promise<Uint8Array> {
    return this.#read(() => this.#statements.secret.get("page_token_key")?.value as Uint8Array);
  }

  async ping(): Promise<void> {
    this.#watch.check();
    this.#read(() => this.#statements.ping.get());
    try {
      await this.#writeCheck.run();
    } catch (error) {
      // The write may have failed because the database is damaged or gone; in that case this throws a better error.
      this.#watch.assertUsable();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (!this.#database.isOpen) return;
    this.#writes.flush();
    this.#watch.close();
    this.#database.close();
  }

  #find(id: string): User | undefined {
    return this.#statements.find.get(id) as unknown as User | undefined;
  }

  #storedWords(id: string): { row: number; words: string } {
    return this.#statements.words.get(id) as unknown as { row: number; words: string };
  }

  /** Returns the user if it exists and has the expected version, if one is given. */
  #expect(id: string, expectedVersion: number | undefined): User {
    const user = this.#find(id);
    if (!user) throw new UserNotFoundError(id);
    if (expectedVersion !== undefined && expectedVersion !== user.version) throw new StaleUserError(id);
    return user;
  }

  /** Runs a query if the database is usable, and translates SQLite's errors. */
  #read<T>(query: () => T): T {
    this.#watch.assertUsable();
    try {
      return query();
    } catch (error) {
      throw this.#watch.explain(error);
    }
  }

  /** Does the same for work that takes several turns. */
  async #use<T>(work: () => Promise<T>): Promise<T> {
    this.#watch.assertUsable();
    try {
      return await work();
    } catch (error) {
      throw this.#watch.explain(error);
    }
  }

  async #write<T>(write: () => T): Promise<T> {
    try {
      const result = await this.#run(write);
      this.#writeCheck.succeeded();
      this.changes.committed();
      return result;
    } catch (error) {
      // An error without a cause means that too many writes waited; the database itself is fine.
      if (error instanceof DatabaseUnavailableError && error.cause) this.#writeCheck.failed(error);
      throw error;
    }
  }

  #run<T>(write: () => T): Promise<T> {
    return this.#use(() => this.#writes.run(write));
  }

  /** Returns the user that the same request created before; undefined for a new request. */
  #replay(key: IdempotencyKey): User | undefined {
    const { principal, requestId, notBeforeMs } = key;
    const remembered = this.#statements.findRequest.get(principal, requestId, notBeforeMs);
    return remembered && replay(key, remembered as unknown as RememberedRequest);
  }

  #remember({ principal, requestId, requestHash, notBeforeMs }: IdempotencyKey, user: User): void {
    this.#statements.purgeRequests.run(notBeforeMs, PURGED_WITH_EACH_CREATE);
    this.#statements.insertRequest.run(principal, requestId, requestHash, JSON.stringify(user), user.createdAtMs);
  }
}

function prepareStatements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  const findMany = prepare(`SELECT ${USER_COLUMNS} FROM users WHERE id IN (SELECT value FROM json_each(?))`);
  findMany.setReturnArrays(true);
  return {
    findMany,
    find: prepare(`SELECT ${USER_COLUMNS} FROM users WHERE id = ?`),
    insert: prepare(`
      INSERT INTO users (id, email, email_key, name, name_key, words, created_at_ms, updated_at_ms, version)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    words: prepare("SELECT row, words FROM users WHERE id = ?"),
    update: prepare(`
      UPDATE users
      SET email = ?, email_key = coalesce(?, email_key), name = ?, name_key = ?, words = ?, updated_at_ms = ?, version = ?
      WHERE id = ?`),
    delete: prepare("DELETE FROM users WHERE id = ?"),
    findRequest: prepare(`
      SELECT request_hash AS requestHash, response FROM create_requests
      WHERE principal = ? AND request_id = ? AND created_at_ms >= ?`),
    insertRequest: prepare(`
      INSERT OR REPLACE INTO create_requests (principal, request_id, request_hash, response, created_at_ms)
      VALUES (?, ?, ?, ?, ?)`),
    purgeRequests: prepare(`
      DELETE FROM create_requests WHERE (principal, request_id) IN (
        SELECT principal, request_id FROM create_requests WHERE created_at_ms < ? ORDER BY created_at_ms LIMIT ?
      )`),
    secret: prepare("SELECT value FROM secrets WHERE name = ?"),
    ping: prepare("SELECT 1 FROM users LIMIT 1"),
    // The bytes are random, since SQLite leaves unchanged pages out of the log.
    writeCheck: prepare("INSERT OR REPLACE INTO properties VALUES ('write_check', randomblob(?))"),
  };
}

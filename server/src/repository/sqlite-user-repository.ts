import type { DatabaseSync, StatementSync } from "node:sqlite";
import { DatabaseUnavailableError, InvalidArgumentError, StaleUserError, UserNotFoundError } from "../domain/errors.ts";
import { searchKey, type User } from "../domain/user.ts";
import { GroupCommit } from "./group-commit.ts";
import { type OpenSqliteOptions, openSqlite } from "./open-sqlite.ts";
import { isBusy, isUnavailable, toDomainError } from "./sqlite-errors.ts";
import { SqliteUserList, USER_COLUMNS } from "./sqlite-user-list.ts";
import type { IdempotencyKey, ListOptions, UserChange, UserRepository } from "./user-repository.ts";
import { WriteCheck } from "./write-check.ts";

/** Forgotten create requests removed with each create: more than are added, so they can't pile up. */
const PURGED_WITH_EACH_CREATE = 4;

export interface SqliteOptions extends OpenSqliteOptions {
  /** A file, made with its folder when missing, or ":memory:". */
  path: string;
}

/**
 * Opens the database, brings its schema up to date and checks that it is durable.
 *
 * @throws DatabaseOpenError when the file can't be used, is another program's, or a newer Rollcall made it.
 */
export function openSqliteUserRepository({ path, ...options }: SqliteOptions): UserRepository {
  return new SqliteUserRepository(openSqlite(path, options));
}

class SqliteUserRepository implements UserRepository {
  readonly #database: DatabaseSync;
  readonly #writes: GroupCommit;
  readonly #writeCheck = new WriteCheck((bytes) => this.#run(() => this.#statements.writeCheck.run(bytes)));
  readonly #list: SqliteUserList;
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = prepareStatements(database);
    this.#list = new SqliteUserList(database);
    this.#writes = new GroupCommit(database, {
      maxBatch: 1_024,
      maxHoldMs: 5,
      maxPending: 16_384,
      isUnavailable,
      isBusy,
      busyTimeoutMs: 1_000,
    });
  }

  async find(id: string): Promise<User | undefined> {
    return read(() => this.#find(id));
  }

  async list(options: ListOptions): Promise<User[]> {
    try {
      return await this.#list.page(options);
    } catch (error) {
      throw toDomainError(error);
    }
  }

  insert(user: User, idempotencyKey?: IdempotencyKey): Promise<User> {
    return this.#write(() => {
      const replayed = idempotencyKey && this.#replay(idempotencyKey);
      if (replayed) return replayed;
      this.#statements.insert.run(
        user.id,
        user.email,
        searchKey(user.email),
        user.name,
        searchKey(user.name),
        user.createdAtMs,
        user.updatedAtMs,
        user.version,
      );
      if (idempotencyKey) this.#remember(idempotencyKey, user);
      return user;
    });
  }

  update(id: string, change: UserChange, expectedVersion?: number): Promise<User> {
    return this.#write(() => {
      const user = this.#expect(id, expectedVersion);
      const updated: User = {
        ...user,
        email: change.email ?? user.email,
        name: change.name ?? user.name,
        // A clock that was set back never makes a user older than itself.
        updatedAtMs: Math.max(change.updatedAtMs, user.updatedAtMs),
        version: user.version + 1,
      };
      const { email, name, updatedAtMs, version } = updated;
      // An e-mail that stays keeps its key, even one that no new e-mail could get (`refresh-search-keys.ts`).
      const emailKey = email === user.email ? null : searchKey(email);
      this.#statements.update.run(email, emailKey, name, searchKey(name), updatedAtMs, version, id);
      return updated;
    });
  }

  delete(id: string, expectedVersion?: number): Promise<void> {
    return this.#write(() => {
      this.#expect(id, expectedVersion);
      this.#statements.delete.run(id);
    });
  }

  async pageTokenKey(): Promise<Uint8Array> {
    return read(() => this.#statements.secret.get("page_token_key")?.value as Uint8Array);
  }

  async ping(): Promise<void> {
    read(() => this.#statements.ping.get());
    await this.#writeCheck.run();
  }

  async close(): Promise<void> {
    if (!this.#database.isOpen) return;
    this.#writes.flush();
    this.#database.close();
  }

  #find(id: string): User | undefined {
    return this.#statements.find.get(id) as unknown as User | undefined;
  }

  /** The user, if it is there and, where a version is expected, has that one. */
  #expect(id: string, expectedVersion: number | undefined): User {
    const user = this.#find(id);
    if (!user) throw new UserNotFoundError(id);
    if (expectedVersion !== undefined && expectedVersion !== user.version) throw new StaleUserError(id);
    return user;
  }

  async #write<T>(write: () => T): Promise<T> {
    try {
      const result = await this.#run(write);
      this.#writeCheck.succeeded();
      return result;
    } catch (error) {
      // Without a cause, too many writes waited: the database is well.
      if (error instanceof DatabaseUnavailableError && error.cause) this.#writeCheck.failed(error);
      throw error;
    }
  }

  async #run<T>(write: () => T): Promise<T> {
    try {
      return await this.#writes.run(write);
    } catch (error) {
      throw toDomainError(error);
    }
  }

  /** What the same request made before, if it was seen. */
  #replay({ principal, requestId, requestHash, notBeforeMs }: IdempotencyKey): User | undefined {
    const record = this.#statements.findRequest.get(principal, requestId, notBeforeMs);
    if (!record) return undefined;
    if (record.requestHash !== requestHash) {
      const description = "was used for a different request";
      throw new InvalidArgumentError("request_id was used for a different request", [
        { field: "request_id", description },
      ]);
    }
    return JSON.parse(String(record.response)) as User;
  }

  #remember({ principal, requestId, requestHash, notBeforeMs }: IdempotencyKey, user: User): void {
    this.#statements.purgeRequests.run(notBeforeMs, PURGED_WITH_EACH_CREATE);
    this.#statements.insertRequest.run(principal, requestId, requestHash, JSON.stringify(user), user.createdAtMs);
  }
}

function prepareStatements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  return {
    find: prepare(`SELECT ${USER_COLUMNS} FROM users WHERE id = ?`),
    insert: prepare(`
      INSERT INTO users (id, email, email_key, name, name_key, created_at_ms, updated_at_ms, version)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`),
    update: prepare(`
      UPDATE users SET email = ?, email_key = coalesce(?, email_key), name = ?, name_key = ?, updated_at_ms = ?, version = ?
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
    // Random, since SQLite leaves out of the log what stays as it is.
    writeCheck: prepare("INSERT OR REPLACE INTO properties VALUES ('write_check', randomblob(?))"),
  };
}

function read<T>(query: () => T): T {
  try {
    return query();
  } catch (error) {
    throw toDomainError(error);
  }
}

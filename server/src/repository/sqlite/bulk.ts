import { existsSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { searchKey } from "../../domain/user.ts";
import { wordsOfUser } from "../../domain/user-words.ts";
import {
  BULK_ROWS,
  type BulkCounts,
  type BulkReader,
  type BulkWriter,
  type StoredChange,
  type StoredRequest,
  type StoredUser,
} from "../bulk.ts";
import { DatabaseOpenError } from "../database-open.ts";
import { toWordsText } from "../words-text.ts";
import { isBusy, isCorrupt } from "./errors.ts";
import { USER_COLUMNS } from "./list-statements.ts";
import { renewChangeEpoch } from "./migrations.ts";
import { explainFault, isCurrent, openSqlite } from "./open.ts";
import { inspectFile, recognise } from "./recognise-sqlite.ts";
import { StoredWords } from "./stored-words.ts";

/**
 * Opens a database to read all of it. A server may be writing to it: a read transaction keeps it at one state, and its
 * log (WAL) grows meanwhile.
 *
 * @throws DatabaseOpenError when the file is not a database of this version.
 */
export function openSqliteBulkReader(path: string): BulkReader {
  if (!existsSync(path)) throw new DatabaseOpenError(`${path} does not exist`);
  inspectFile(path);
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    database.exec("BEGIN");
    recognise(database, path);
    if (!isCurrent(database)) {
      throw new DatabaseOpenError(`${path} was made by an earlier version of Rollcall: start this one with it once`);
    }
    return new SqliteBulkReader(database, path);
  } catch (error) {
    database.close();
    throw explainFault(path, error, 0);
  }
}

/**
 * Opens a database to fill it, and creates it if it is missing. Nobody else can write to it meanwhile.
 *
 * @throws DatabaseOpenError when the file can't be used.
 */
export function openSqliteBulkWriter(path: string): BulkWriter {
  const database = openSqlite(path);
  try {
    database.exec("BEGIN IMMEDIATE");
    return new SqliteBulkWriter(database, path);
  } catch (error) {
    database.close();
    throw explain(error, path);
  }
}

/**
 * Returns in words what keeps a database from being read or written. An error that is not SQLite's is returned
 * unchanged.
 */
function explain(error: unknown, path: string): unknown {
  if (!(error instanceof Error && "errcode" in error)) return error;
  const words = () => {
    if (isBusy(error)) return "is locked by another process; end that process, or what it does";
    if (isCorrupt(error)) return `is damaged, or not a database (${error.message}); put a backup in its place`;
    return `can't be read or written (${error.message})`;
  };
  return new DatabaseOpenError(`${path} ${words()}`, { cause: error });
}

class SqliteBulkReader implements BulkReader {
  protected readonly database: DatabaseSync;
  readonly #path: string;

  constructor(database: DatabaseSync, path: string) {
    this.database = database;
    this.#path = path;
  }

  async counts(): Promise<BulkCounts> {
    const count = (table: string) =>
      Number(this.database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.count);
    return this.explained(() => ({
      users: count("users"),
      requests: count("create_requests"),
      changes: count("changes"),
    }));
  }

  async pageTokenKey(): Promise<Uint8Array> {
    const sql = "SELECT value FROM secrets WHERE name = 'page_token_key'";
    return this.explained(() => this.database.prepare(sql).get()?.value as Uint8Array);
  }

  users(): AsyncIterable<readonly StoredUser[]> {
    return this.#rows<StoredUser>(
      `SELECT ${USER_COLUMNS}, email_key AS emailKey FROM users INDEXED BY users_by_creation ORDER BY created_at_ms, id`,
    );
  }

  requests(): AsyncIterable<readonly StoredRequest[]> {
    return this.#rows<StoredRequest>(`
      SELECT principal, request_id AS requestId, request_hash AS requestHash, response, created_at_ms AS createdAtMs
      FROM create_requests ORDER BY principal, request_id`);
  }

  changes(): AsyncIterable<readonly StoredChange[]> {
    return this.#rows<StoredChange>(`
      SELECT user_id AS userId, changed_at_ms AS changedAtMs, changed_by AS changedBy, before, after
      FROM changes ORDER BY id`);
  }

  /** Ends the transaction with the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.database.isOpen) this.database.close();
  }

  /** @throws DatabaseOpenError for anything that keeps the database from being read or written. */
  protected explained<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw explain(error, this.#path);
    }
  }

  async *#rows<T>(sql: string): AsyncGenerator<readonly T[]> {
    const iterator = this.explained(() => this.database.prepare(sql).iterate());
    for (;;) {
      const rows = this.explained(() => nextRows(iterator)) as T[];
      if (rows.length > 0) yield rows;
      if (rows.length < BULK_ROWS) return;
    }
  }
}

/** Takes up to {@link BULK_ROWS} rows; fewer only at the end. */
function nextRows(iterator: Iterator<unknown>): unknown[] {
  const rows: unknown[] = [];
  while (rows.length < BULK_ROWS) {
    const { done, value } = iterator.next();
    if (done) break;
    rows.push(value);
  }
  return rows;
}

class SqliteBulkWriter extends SqliteBulkReader implements BulkWriter {
  readonly #insertUser: StatementSync;
  readonly #insertRequest: StatementSync;
  readonly #insertChange: StatementSync;
  readonly #words: StoredWords;

  constructor(database: DatabaseSync, path: string) {
    super(database, path);
    this.#insertUser = database.prepare(`
      INSERT INTO users (id, email, email_key, name, name_key, words, created_at_ms, updated_at_ms, version)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#words = new StoredWords(database);
    this.#insertRequest = database.prepare(`
      INSERT INTO create_requests (principal, request_id, request_hash, response, created_at_ms) VALUES (?, ?, ?, ?, ?)`);
    this.#insertChange = database.prepare(`
      INSERT INTO changes (user_id, changed_at_ms, changed_by, before, after) VALUES (?, ?, ?, ?, ?)`);
  }

  async addUsers(users: readonly StoredUser[]): Promise<void> {
    this.explained(() => {
      for (const { id, email, emailKey, name, createdAtMs, updatedAtMs, version } of users) {
        const words = toWordsText(wordsOfUser({ email, name }));
        const keys = [email, emailKey, name, searchKey(name), words];
        const { lastInsertRowid } = this.#insertUser.run(id, ...keys, createdAtMs, updatedAtMs, version);
        this.#words.replace(lastInsertRowid, "", words);
      }
    });
  }

  async addRequests(requests: readonly StoredRequest[]): Promise<void> {
    this.explained(() => {
      for (const { principal, requestId, requestHash, response, createdAtMs } of requests) {
        this.#insertRequest.run(principal, requestId, requestHash, response, createdAtMs);
      }
    });
  }

  async addChanges(changes: readonly StoredChange[]): Promise<void> {
    this.explained(() => {
      for (const { userId, changedAtMs, changedBy, before, after } of changes) {
        this.#insertChange.run(userId, changedAtMs, changedBy, before, after);
      }
    });
  }

  async setPageTokenKey(key: Uint8Array): Promise<void> {
    const sql = "UPDATE secrets SET value = ? WHERE name = 'page_token_key'";
    this.explained(() => this.database.prepare(sql).run(key));
  }

  async commit(): Promise<void> {
    this.explained(() => this.database.exec(`${renewChangeEpoch} COMMIT`));
  }
}

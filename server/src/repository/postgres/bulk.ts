import type pg from "pg";
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
import { renewChangeEpoch } from "./migrations.ts";
import { connectPrepared } from "./open.ts";
import type { PostgresAddress } from "./options.ts";
import { type Statement, statements, USER_COLUMNS } from "./statements.ts";
import { wordsFor } from "./words-for.ts";

/** Statements may take as long as they need, since no call waits for them. */
const UNBOUNDED = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

const ADD_USERS: Statement = {
  name: "rollcall_bulk_users",
  text: `
    INSERT INTO users (id, email, email_key, name, name_key, words, created_at_ms, updated_at_ms, version)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
      $8::bigint[], $9::bigint[])`,
};
const ADD_WORDS: Statement = {
  name: "rollcall_bulk_words",
  text: "INSERT INTO user_words (word, user_id) SELECT * FROM unnest($1::text[], $2::text[])",
};
const ADD_REQUESTS: Statement = {
  name: "rollcall_bulk_requests",
  text: `
    INSERT INTO create_requests (principal, request_id, request_hash, response, created_at_ms)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])`,
};

/**
 * Opens a database to read all of it, as it is at one moment, even while servers write to it.
 *
 * @throws DatabaseOpenError when it can't be used.
 */
export async function openPostgresBulkReader(address: PostgresAddress): Promise<BulkReader> {
  return begun(
    new PostgresBulkReader(await connectPrepared({ address }), address),
    `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${UNBOUNDED}`,
  );
}

/**
 * Opens a database to fill it. Servers can't write to it meanwhile.
 *
 * @throws DatabaseOpenError when it can't be used.
 */
export async function openPostgresBulkWriter(address: PostgresAddress): Promise<BulkWriter> {
  return begun(
    new PostgresBulkWriter(await connectPrepared({ address }), address),
    `BEGIN; ${UNBOUNDED}; LOCK TABLE users, create_requests IN SHARE ROW EXCLUSIVE MODE`,
  );
}

/** Runs the first statement. If it fails, the connection is ended. */
async function begun<T extends PostgresBulkReader>(bulk: T, statement: string): Promise<T> {
  try {
    await bulk.query({ text: statement });
    return bulk;
  } catch (error) {
    await bulk[Symbol.asyncDispose]();
    throw error;
  }
}

class PostgresBulkReader implements BulkReader {
  readonly #client: pg.Client;
  readonly #address: PostgresAddress;

  constructor(client: pg.Client, address: PostgresAddress) {
    this.#client = client;
    this.#address = address;
  }

  /** @throws DatabaseOpenError for anything that keeps the database from being read or written. */
  async query<T extends object>({ name, text }: Statement, values?: readonly unknown[]): Promise<T[]> {
    const isNamed = name !== undefined && !this.#address.isPooled;
    try {
      const query = { text, ...(values && { values: [...values] }), ...(isNamed && { name }) };
      return (await this.#client.query<T>(query)).rows;
    } catch (error) {
      throw new DatabaseOpenError(wordsFor(error, this.#address), { cause: error });
    }
  }

  async counts(): Promise<BulkCounts> {
    const text = `
      SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM create_requests) AS requests,
        (SELECT count(*) FROM changes) AS changes`;
    const [counts] = await this.query<BulkCounts>({ text });
    return counts as BulkCounts;
  }

  async pageTokenKey(): Promise<Uint8Array> {
    const [row] = await this.query<{ value: Uint8Array }>(statements.secret, ["page_token_key"]);
    return row?.value as Uint8Array;
  }

  users(): AsyncIterable<readonly StoredUser[]> {
    return this.#rows<StoredUser>(
      `SELECT ${USER_COLUMNS}, email_key AS "emailKey" FROM users ORDER BY created_at_ms, id`,
    );
  }

  requests(): AsyncIterable<readonly StoredRequest[]> {
    return this.#rows<StoredRequest>(`
      SELECT principal, request_id AS "requestId", request_hash AS "requestHash", response, created_at_ms AS "createdAtMs"
      FROM create_requests ORDER BY principal, request_id`);
  }

  changes(): AsyncIterable<readonly StoredChange[]> {
    return this.#rows<StoredChange>(`
      SELECT user_id AS "userId", changed_at_ms AS "changedAtMs", changed_by AS "changedBy", before, after
      FROM changes ORDER BY xid, id`);
  }

  /** Undoes everything that was not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }

  async *#rows<T extends object>(sql: string): AsyncGenerator<readonly T[]> {
    await this.query({ text: `DECLARE all_rows CURSOR FOR ${sql}` });
    for (;;) {
      const rows = await this.query<T>({ text: `FETCH ${BULK_ROWS} FROM all_rows` });
      if (rows.length > 0) yield rows;
      if (rows.length < BULK_ROWS) break;
    }
    await this.query({ text: "CLOSE all_rows" });
  }
}

class PostgresBulkWriter extends PostgresBulkReader implements BulkWriter {
  async addUsers(users: readonly StoredUser[]): Promise<void> {
    const words = users.map((user) => wordsOfUser(user));
    await this.query(ADD_USERS, [
      users.map(({ id }) => id),
      users.map(({ email }) => email),
      users.map(({ emailKey }) => emailKey),
      users.map(({ name }) => name),
      users.map(({ name }) => searchKey(name)),
      words.map(toWordsText),
      users.map(({ createdAtMs }) => createdAtMs),
      users.map(({ updatedAtMs }) => updatedAtMs),
      users.map(({ version }) => version),
    ]);
    await this.query(ADD_WORDS, [words.flat(), users.flatMap(({ id }, index) => (words[index] ?? []).map(() => id))]);
  }

  async addRequests(requests: readonly StoredRequest[]): Promise<void> {
    await this.query(ADD_REQUESTS, [
      requests.map(({ principal }) => principal),
      requests.map(({ requestId }) => requestId),
      requests.map(({ requestHash }) => requestHash),
      requests.map(({ response }) => response),
      requests.map(({ createdAtMs }) => createdAtMs),
    ]);
  }

  async addChanges(changes: readonly StoredChange[]): Promise<void> {
    await this.query(statements.logChanges, [
      changes.map(({ userId }) => userId),
      changes.map(({ changedAtMs }) => changedAtMs),
      changes.map(({ changedBy }) => changedBy),
      changes.map(({ before }) => before),
      changes.map(({ after }) => after),
    ]);
  }

  async setPageTokenKey(key: Uint8Array): Promise<void> {
    await this.query({ text: "UPDATE secrets SET value = $1 WHERE name = 'page_token_key'" }, [Buffer.from(key)]);
  }

  async commit(): Promise<void> {
    await this.query({ text: renewChangeEpoch });
    await this.query(statements.commit);
  }
}

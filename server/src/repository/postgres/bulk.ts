import type pg from "pg";
import { searchKey } from "../../domain/user.ts";
import { wordsOfUser } from "../../domain/user-words.ts";
import {
  BULK_ROWS,
  type BulkCounts,
  type BulkReader,
  type BulkWriter,
  type StoredRequest,
  type StoredUser,
} from "../bulk.ts";
import { toWordsText } from "../words-text.ts";
import type { PostgresAddress } from "./connection.ts";
import { connectPrepared } from "./open.ts";
import { USER_COLUMNS } from "./statements.ts";

/** Statements may take as long as they need; nobody waits for an answer of a call. */
const UNBOUNDED = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/**
 * Opens a database to read all of it, at one moment, while servers may write to it.
 *
 * @throws DatabaseOpenError when it can't be used.
 */
export async function openPostgresBulkReader(address: PostgresAddress): Promise<BulkReader> {
  const client = await connectPrepared({ address });
  await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${UNBOUNDED}`);
  return new PostgresBulkReader(client);
}

/**
 * Opens a database to fill it. No server can write to it meanwhile.
 *
 * @throws DatabaseOpenError when it can't be used.
 */
export async function openPostgresBulkWriter(address: PostgresAddress): Promise<BulkWriter> {
  const client = await connectPrepared({ address });
  await client.query(`BEGIN; ${UNBOUNDED}; LOCK TABLE users, create_requests IN SHARE ROW EXCLUSIVE MODE`);
  return new PostgresBulkWriter(client);
}

class PostgresBulkReader implements BulkReader {
  protected readonly client: pg.Client;

  constructor(client: pg.Client) {
    this.client = client;
  }

  async counts(): Promise<BulkCounts> {
    const { rows } = await this.client.query<BulkCounts>(
      "SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM create_requests) AS requests",
    );
    return rows[0] as BulkCounts;
  }

  async pageTokenKey(): Promise<Uint8Array> {
    const { rows } = await this.client.query("SELECT value FROM secrets WHERE name = 'page_token_key'");
    return rows[0]?.value;
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

  /** Undoes what was not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.end();
  }

  async *#rows<T extends object>(sql: string): AsyncGenerator<readonly T[]> {
    await this.client.query(`DECLARE all_rows CURSOR FOR ${sql}`);
    for (;;) {
      const { rows } = await this.client.query<T>(`FETCH ${BULK_ROWS} FROM all_rows`);
      if (rows.length > 0) yield rows;
      if (rows.length < BULK_ROWS) break;
    }
    await this.client.query("CLOSE all_rows");
  }
}

class PostgresBulkWriter extends PostgresBulkReader implements BulkWriter {
  async addUsers(users: readonly StoredUser[]): Promise<void> {
    const words = users.map((user) => wordsOfUser(user));
    await this.client.query({
      name: "rollcall_bulk_users",
      text: `
        INSERT INTO users (id, email, email_key, name, name_key, words, created_at_ms, updated_at_ms, version)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
          $8::bigint[], $9::bigint[])`,
      values: [
        users.map(({ id }) => id),
        users.map(({ email }) => email),
        users.map(({ emailKey }) => emailKey),
        users.map(({ name }) => name),
        users.map(({ name }) => searchKey(name)),
        words.map(toWordsText),
        users.map(({ createdAtMs }) => createdAtMs),
        users.map(({ updatedAtMs }) => updatedAtMs),
        users.map(({ version }) => version),
      ],
    });
    await this.client.query({
      name: "rollcall_bulk_words",
      text: "INSERT INTO user_words (word, user_id) SELECT * FROM unnest($1::text[], $2::text[])",
      values: [words.flat(), users.flatMap(({ id }, index) => (words[index] ?? []).map(() => id))],
    });
  }

  async addRequests(requests: readonly StoredRequest[]): Promise<void> {
    await this.client.query({
      name: "rollcall_bulk_requests",
      text: `
        INSERT INTO create_requests (principal, request_id, request_hash, response, created_at_ms)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])`,
      values: [
        requests.map(({ principal }) => principal),
        requests.map(({ requestId }) => requestId),
        requests.map(({ requestHash }) => requestHash),
        requests.map(({ response }) => response),
        requests.map(({ createdAtMs }) => createdAtMs),
      ],
    });
  }

  async setPageTokenKey(key: Uint8Array): Promise<void> {
    await this.client.query("UPDATE secrets SET value = $1 WHERE name = 'page_token_key'", [Buffer.from(key)]);
  }

  async commit(): Promise<void> {
    await this.client.query("COMMIT");
  }
}

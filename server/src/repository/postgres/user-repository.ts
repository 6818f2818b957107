import { randomBytes } from "node:crypto";
import { DatabaseUnwritableError } from "../../domain/errors.ts";
import type { User } from "../../domain/user.ts";
import { queryTrace } from "../../runtime/query-trace.ts";
import { createCommitStats } from "../stats.ts";
import {
  type CountOptions,
  type IdempotencyKey,
  type ListOptions,
  nobody,
  type UserChange,
  type UserRepository,
} from "../user-repository.ts";
import { WriteCheck } from "../write-check.ts";
import { PostgresChangeLog } from "./change-log.ts";
import { sqlStateOf } from "./errors.ts";
import { FindBatch } from "./find-batch.ts";
import { GroupCommit } from "./group-commit.ts";
import { openPostgres } from "./open.ts";
import type { OpenPostgresOptions } from "./options.ts";
import type { PostgresPool } from "./pool.ts";
import { possibleIds } from "./possible-ids.ts";
import { statements } from "./statements.ts";
import { withTraceComment } from "./trace-comment.ts";
import { PostgresUserList } from "./user-list.ts";
import type { Write } from "./write.ts";

/**
 * Opens the database, brings its schema up to date, and keeps connections to it.
 *
 * @throws DatabaseOpenError when it can't be used, is another program's, or was made by a newer Rollcall.
 */
export async function openPostgresUserRepository(options: OpenPostgresOptions): Promise<UserRepository> {
  return new PostgresUserRepository(await openPostgres(options));
}

class PostgresUserRepository implements UserRepository {
  readonly stats;
  readonly changes: PostgresChangeLog;
  readonly #pool: PostgresPool;
  readonly #writes: GroupCommit;
  readonly #finds: FindBatch;
  readonly #list: PostgresUserList;
  readonly #writeCheck: WriteCheck;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
    const { host, port, database } = pool.address;
    this.stats = {
      ...createCommitStats("postgresql"),
      server: { host, port, database },
      codeOf: sqlStateOf,
      connections: () => pool.counts(),
    };
    this.changes = new PostgresChangeLog(pool);
    this.#writes = new GroupCommit(pool, this.stats.commitSizes);
    this.#finds = new FindBatch((ids, trace) => this.#read(ids, trace));
    this.#list = new PostgresUserList(pool);
    this.#writeCheck = new WriteCheck((bytes) =>
      pool.query(statements.writeCheck, [randomBytes(bytes).toString("base64")]),
    );
  }

  find(id: string): Promise<User | undefined> {
    return this.#finds.find(id);
  }

  async findMany(ids: readonly string[]): Promise<(User | undefined)[]> {
    const users = await this.#read(ids, queryTrace());
    return ids.map((id) => users.get(id));
  }

  list(options: ListOptions): Promise<User[]> {
    return this.#list.page(options);
  }

  count(options: CountOptions): Promise<number> {
    return this.#list.count(options);
  }

  insert(user: User, key?: IdempotencyKey, author = nobody(user.createdAtMs)): Promise<User> {
    return this.#write({ kind: "insert", user, key, author }) as Promise<User>;
  }

  update(id: string, change: UserChange, expectedVersion?: number, author = nobody(change.updatedAtMs)): Promise<User> {
    return this.#write({ kind: "update", id, change, expectedVersion, author }) as Promise<User>;
  }

  async delete(id: string, expectedVersion?: number, author = nobody(Date.now())): Promise<void> {
    await this.#write({ kind: "delete", id, expectedVersion, author });
  }

  async pageTokenKey(): Promise<Uint8Array> {
    const [row] = await this.#pool.query<{ value: Uint8Array }>(statements.secret, ["page_token_key"]);
    return row?.value as Uint8Array;
  }

  async ping(): Promise<void> {
    await this.#pool.query(statements.ping);
    try {
      await this.#writeCheck.run();
    } catch (error) {
      // The write may have failed because the server went away; in that case this throws a better error.
      this.#pool.assertUsable();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#writes.close();
    this.changes.close();
    await this.#pool.close();
  }

  async #write(write: Write): Promise<User | undefined> {
    try {
      const result = await this.#writes.run(write);
      this.#writeCheck.succeeded();
      this.changes.committed();
      return result;
    } catch (error) {
      if (error instanceof DatabaseUnwritableError) this.#writeCheck.failed(error);
      throw error;
    }
  }

  async #read(ids: readonly string[], trace: string | undefined): Promise<ReadonlyMap<string, User>> {
    const possible = possibleIds(ids);
    if (possible.length === 0) return new Map();
    const users = await this.#pool.query<User>(withTraceComment(statements.findMany, trace), [possible]);
    return new Map(users.map((user) => [user.id, user]));
  }
}

import type { BulkReader, BulkWriter } from "./bulk.ts";
import type { OpenNotices } from "./database-open.ts";
import { openPostgresBulkReader, openPostgresBulkWriter } from "./postgres/bulk.ts";
import type { PostgresAddress } from "./postgres/options.ts";
import { openPostgresUserRepository } from "./postgres/user-repository.ts";
import { openSqliteBulkReader, openSqliteBulkWriter } from "./sqlite/bulk.ts";
import { openSqliteUserRepository } from "./sqlite/user-repository.ts";
import type { UserRepository } from "./user-repository.ts";

/** Address of a database, from DATABASE_URL. */
export type DatabaseAddress =
  | { readonly kind: "sqlite"; readonly path: string }
  | ({ readonly kind: "postgres" } & PostgresAddress);

export interface OpenDatabaseOptions extends OpenNotices {
  /** Most connections to PostgreSQL. */
  readonly maxConnections: number;
  /** Longest time that a call waits for PostgreSQL, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Opens the database that an address names, and brings its schema up to date.
 *
 * @throws DatabaseOpenError when it can't be used, is another program's, or was made by a newer Rollcall.
 */
export async function openUserRepository(
  address: DatabaseAddress,
  options: OpenDatabaseOptions,
): Promise<UserRepository> {
  if (address.kind === "postgres") return openPostgresUserRepository({ ...options, address });
  return openSqliteUserRepository({ ...options, path: address.path });
}

/** Opens a database to read all of it. @throws DatabaseOpenError */
export async function openBulkReader(address: DatabaseAddress): Promise<BulkReader> {
  return address.kind === "postgres" ? openPostgresBulkReader(address) : openSqliteBulkReader(address.path);
}

/** Opens a database to fill it. @throws DatabaseOpenError */
export async function openBulkWriter(address: DatabaseAddress): Promise<BulkWriter> {
  return address.kind === "postgres" ? openPostgresBulkWriter(address) : openSqliteBulkWriter(address.path);
}

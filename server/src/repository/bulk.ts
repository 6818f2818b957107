import type { User } from "../domain/user.ts";

/** Rows that are read or written at once. */
export const BULK_ROWS = 1_000;

/** A user as it is stored. */
export interface StoredUser extends User {
  /** Search key of the e-mail. An old user may have one that no new e-mail would get. */
  readonly emailKey: string;
}

/** A create request that is remembered, so that its repetition is one (AIP-155). */
export interface StoredRequest {
  readonly principal: string;
  readonly requestId: string;
  readonly requestHash: string;
  /** User that it created, as JSON. */
  readonly response: string;
  readonly createdAtMs: number;
}

/** A change as the log keeps it, without its place: a place is one of its database alone. */
export interface StoredChange {
  readonly userId: string;
  readonly changedAtMs: number;
  readonly changedBy: string;
  /** User before and after it, as JSON; null for one that was created or deleted. */
  readonly before: string | null;
  readonly after: string | null;
}

export interface BulkCounts {
  readonly users: number;
  readonly requests: number;
  readonly changes: number;
}

/** Reads a whole directory as it is at one moment, whoever writes to it meanwhile. */
export interface BulkReader extends AsyncDisposable {
  counts(): Promise<BulkCounts>;
  pageTokenKey(): Promise<Uint8Array>;
  /** Yields all users by creation time and id, up to {@link BULK_ROWS} at once. */
  users(): AsyncIterable<readonly StoredUser[]>;
  /** Yields all create requests by principal and request id, in the order of their bytes, as many at once. */
  requests(): AsyncIterable<readonly StoredRequest[]>;
  /** Yields all changes in their order, as many at once. */
  changes(): AsyncIterable<readonly StoredChange[]>;
}

/**
 * Fills an empty directory in one transaction, and reads back what that has written. Without a commit, disposal leaves
 * the directory as it was.
 */
export interface BulkWriter extends BulkReader {
  /** Adds users with their ids, times and versions. */
  addUsers(users: readonly StoredUser[]): Promise<void>;
  addRequests(requests: readonly StoredRequest[]): Promise<void>;
  /** Adds changes behind those that are there, in their order. */
  addChanges(changes: readonly StoredChange[]): Promise<void>;
  setPageTokenKey(key: Uint8Array): Promise<void>;
  /**
   * Resolves once everything is durable. The log of changes has another epoch then, since its places are others: whoever
   * watched either directory begins anew.
   */
  commit(): Promise<void>;
}

import type { User } from "../domain/user.ts";

/** Rows that are read or written at a time. */
export const BULK_ROWS = 1_000;

/** A user as it is stored. */
export interface StoredUser extends User {
  /** Search key of the e-mail. An old user may have one that no new e-mail would get. */
  readonly emailKey: string;
}

/** A create request that is remembered, so that a repetition is recognised (AIP-155). */
export interface StoredRequest {
  readonly principal: string;
  readonly requestId: string;
  readonly requestHash: string;
  /** The user that it created, as JSON. */
  readonly response: string;
  readonly createdAtMs: number;
}

/** A change as the log keeps it, without its place: places are valid in one database only. */
export interface StoredChange {
  readonly userId: string;
  readonly changedAtMs: number;
  readonly changedBy: string;
  /** User before and after the change, as JSON; null for one that was created or deleted. */
  readonly before: string | null;
  readonly after: string | null;
}

export interface BulkCounts {
  readonly users: number;
  readonly requests: number;
  readonly changes: number;
}

/** Reads a whole directory as it is at one moment, even while others write to it. */
export interface BulkReader extends AsyncDisposable {
  counts(): Promise<BulkCounts>;
  pageTokenKey(): Promise<Uint8Array>;
  /** Yields all users by creation time and id, up to {@link BULK_ROWS} at a time. */
  users(): AsyncIterable<readonly StoredUser[]>;
  /** Yields all create requests by principal and request id, in byte order, in blocks of the same size. */
  requests(): AsyncIterable<readonly StoredRequest[]>;
  /** Yields all changes in their order, in blocks of the same size. */
  changes(): AsyncIterable<readonly StoredChange[]>;
}

/**
 * Fills an empty directory in one transaction, and reads back the written rows. Without a commit, disposal leaves the
 * directory as it was.
 */
export interface BulkWriter extends BulkReader {
  /** Adds users with their ids, times and versions. */
  addUsers(users: readonly StoredUser[]): Promise<void>;
  addRequests(requests: readonly StoredRequest[]): Promise<void>;
  /** Adds changes after the existing ones, in their order. */
  addChanges(changes: readonly StoredChange[]): Promise<void>;
  setPageTokenKey(key: Uint8Array): Promise<void>;
  /**
   * Resolves once everything is durable. The log of changes then has another epoch, since its places are different:
   * watchers of either directory begin anew.
   */
  commit(): Promise<void>;
}

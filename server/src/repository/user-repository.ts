import type { Author } from "../domain/logged-change.ts";
import type { User, UserFields } from "../domain/user.ts";
import type { Cursor, UserOrder } from "../domain/user-order.ts";
import type { ChangeLog } from "./change-log.ts";
import type { RepositoryStats } from "./stats.ts";

/** Result that is available now, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** Users that a list or a count selects. */
export interface Selection {
  /** Search keys, at most 16; each must be the start of one of the user's words. Default none, for all users. */
  readonly words?: readonly string[] | undefined;
  /** Aborted when nobody wants the answer any more. */
  readonly signal?: AbortSignal | undefined;
}

export interface ListOptions extends Selection {
  /** Default: by creation. */
  readonly order?: UserOrder | undefined;
  /** Place in this order to start after; undefined starts at the beginning. */
  readonly after?: Cursor | undefined;
  readonly limit: number;
}

export interface CountOptions extends Selection {
  /** Number at which counting may stop. */
  readonly limit: number;
}

/** Encodes a user for an answer. The same user has the same encoding each time. */
export type EncodeUser = (user: User) => Uint8Array;

/** Buffer that bytes are appended to. */
export interface ByteTarget {
  append(bytes: Uint8Array): void;
}

export interface EncodedListOptions extends Pick<ListOptions, "after" | "limit" | "signal"> {
  /** The same function for all calls, so that its results can be kept. */
  readonly encode: EncodeUser;
  /** Receives the encodings, one after the other. */
  readonly target: ByteTarget;
}

export interface EncodedList {
  /** Place of the last user if there are further ones, else undefined. */
  readonly next: Cursor | undefined;
}

/** Properties that identify a repeated create request (AIP-155). */
export interface IdempotencyKey {
  readonly principal: string;
  readonly requestId: string;
  /** Digest of the request's content. */
  readonly requestHash: string;
  /** Records from before this time count as forgotten. */
  readonly notBeforeMs: number;
}

export interface UserChange extends Partial<UserFields> {
  readonly updatedAtMs: number;
}

/** Returns the author of a write that was made without signing in. */
export function nobody(atMs: number): Author {
  return { subject: "", atMs };
}

/**
 * Storage of users. A promise of a write resolves only when the write is durable. All promises reject with {@link
 * DatabaseUnavailableError} while the database can't be used. By default the author of a write is nobody, at the time
 * of the write.
 */
export interface UserRepository {
  readonly stats?: RepositoryStats;
  /** Log of all writes that have changed something. */
  readonly changes: ChangeLog;
  /** May return the result directly: a database in the process can be read without waiting for a turn. */
  find(id: string): Awaitable<User | undefined>;
  /** Returns the users of these ids, in the order of the ids, with undefined for each that does not exist. */
  findMany(ids: readonly string[]): Promise<(User | undefined)[]>;
  /**
   * Returns users in the requested order: all that exist, match and keep their place throughout the search, and none
   * that never did. A place in the order of creation never changes. Yields to the event loop meanwhile.
   *
   * @throws The signal's reason, soon after its abort.
   */
  list(options: ListOptions): Promise<User[]>;
  /**
   * Appends the first users after a place in the order of creation, encoded; they are those that {@link list} would
   * return without words. Only repositories that can do this faster than user by user have it. Resolves to undefined if
   * it is not possible at the moment.
   *
   * @throws The signal's reason, soon after its abort.
   */
  listEncoded?(options: EncodedListOptions): Promise<EncodedList | undefined>;
  /**
   * Returns how many users match, or the limit if more do. Yields to the event loop meanwhile.
   *
   * @throws The signal's reason, soon after its abort.
   */
  count(options: CountOptions): Promise<number>;
  /**
   * Adds the user. If the same request was seen before, returns the user that it created then, and adds nothing.
   *
   * @throws EmailTakenError
   * @throws InvalidArgumentError when the request id was used for another request.
   */
  insert(user: User, idempotencyKey?: IdempotencyKey, author?: Author): Promise<User>;
  /**
   * Changes a user and increments its version.
   *
   * @throws UserNotFoundError
   * @throws StaleUserError when expectedVersion is given and not the user's.
   * @throws EmailTakenError
   */
  update(id: string, change: UserChange, expectedVersion?: number, author?: Author): Promise<User>;
  /**
   * @throws UserNotFoundError
   * @throws StaleUserError when expectedVersion is given and not the user's.
   */
  delete(id: string, expectedVersion?: number, author?: Author): Promise<void>;
  /** Returns 32 random bytes, made once and kept with the data. */
  pageTokenKey(): Promise<Uint8Array>;
  /**
   * Rejects when the database can't be used. May be called as often as needed: it does its work once a second at most.
   *
   * @throws DatabaseUnwritableError while the database can be read, but writes fail.
   */
  ping(): Promise<void>;
  /** Finishes the pending writes, then closes the database. */
  close(): Promise<void>;
}

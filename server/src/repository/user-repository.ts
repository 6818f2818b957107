import type { User, UserFields } from "../domain/user.ts";

/** Result that is there, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** Place in the order of creation. The user there may no longer exist. */
export interface Cursor {
  readonly createdAtMs: number;
  readonly id: string;
}

export interface ListOptions {
  /** Place to start behind; undefined starts at the beginning. */
  readonly after: Cursor | undefined;
  readonly limit: number;
  /** Search key that e-mail or name must start with; "" for all users. */
  readonly prefix: string;
  /** Aborted when nobody wants the page any more. */
  readonly signal?: AbortSignal | undefined;
}

/** Encodes a user for an answer. The same user has the same encoding each time. */
export type EncodeUser = (user: User) => Uint8Array;

/** Buffer that bytes are added to. */
export interface ByteTarget {
  append(bytes: Uint8Array): void;
}

export interface EncodedListOptions extends Pick<ListOptions, "after" | "limit" | "signal"> {
  /** The same function for all calls, so that what it has made can be kept. */
  readonly encode: EncodeUser;
  /** Gets the encodings, one behind the other. */
  readonly target: ByteTarget;
}

export interface EncodedList {
  /** Place of the last user if there are further ones, else undefined. */
  readonly next: Cursor | undefined;
}

/** Properties by which two create requests are the same one (AIP-155). */
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

/**
 * Storage of users. A promise of a write resolves only when the write is durable. All promises reject with {@link
 * DatabaseUnavailableError} while the database can't be used.
 */
export interface UserRepository {
  /** May answer at once: a read of a database in the process need not wait for a turn. */
  find(id: string): Awaitable<User | undefined>;
  /**
   * Returns users in the order of creation time, then id: all that exist and match throughout the search, and none that
   * never did. Gives the event loop to others meanwhile.
   *
   * @throws The signal's reason, soon after its abort.
   */
  list(options: ListOptions): Promise<User[]>;
  /**
   * Appends the first users behind a place, as {@link list} would return them without a prefix, in their encodings. For
   * a repository that can do so faster than user by user; resolves to undefined when it can't at the moment.
   *
   * @throws The signal's reason, soon after its abort.
   */
  listEncoded?(options: EncodedListOptions): Promise<EncodedList | undefined>;
  /**
   * Adds the user. If the same request was seen before, returns the user that it created then, and adds nothing.
   *
   * @throws EmailTakenError
   * @throws InvalidArgumentError when the request id was used for another request.
   */
  insert(user: User, idempotencyKey?: IdempotencyKey): Promise<User>;
  /**
   * Changes a user and increments its version.
   *
   * @throws UserNotFoundError
   * @throws StaleUserError when expectedVersion is given and not the user's.
   * @throws EmailTakenError
   */
  update(id: string, change: UserChange, expectedVersion?: number): Promise<User>;
  /**
   * @throws UserNotFoundError
   * @throws StaleUserError when expectedVersion is given and not the user's.
   */
  delete(id: string, expectedVersion?: number): Promise<void>;
  /** Returns 32 random bytes, made once and kept with the data. */
  pageTokenKey(): Promise<Uint8Array>;
  /**
   * Rejects when the database can't be used. May be called as often as needed: its cost arises once a second at most.
   *
   * @throws DatabaseUnwritableError while the database can be read, but writes fail.
   */
  ping(): Promise<void>;
  /** Finishes the writes under way, then closes the database. */
  close(): Promise<void>;
}

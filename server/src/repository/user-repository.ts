import type { User, UserFields } from "../domain/user.ts";

/** A place in the order of creation; the user there need not exist any more. */
export interface Cursor {
  readonly createdAtMs: number;
  readonly id: string;
}

export interface ListOptions {
  /** Start behind this place; from the beginning when undefined. */
  readonly after: Cursor | undefined;
  readonly limit: number;
  /** Only users whose e-mail or name starts with this search key; "" for all. */
  readonly prefix: string;
  /** When it is aborted, nobody wants the page any more. */
  readonly signal?: AbortSignal | undefined;
}

/** What makes two create requests the same one (AIP-155). */
export interface IdempotencyKey {
  readonly principal: string;
  readonly requestId: string;
  /** Digest of the request's content. */
  readonly requestHash: string;
  /** A record older than this moment counts as forgotten. */
  readonly notBeforeMs: number;
}

export interface UserChange extends Partial<UserFields> {
  readonly updatedAtMs: number;
}

/**
 * Where users are kept. A promise of a write resolves only when the write is
 * durable. All reject with {@link DatabaseUnavailableError} while the database
 * can't be used.
 */
export interface UserRepository {
  find(id: string): Promise<User | undefined>;
  /**
   * Users in the order of creation time, then id: all that are there and match for as
   * long as it takes, and none that never did. Others have the event loop meanwhile.
   *
   * @throws The signal's reason, soon after its abort.
   */
  list(options: ListOptions): Promise<User[]>;
  /**
   * Adds the user, or, when the same request was seen before, returns what it
   * made then and adds nothing.
   *
   * @throws EmailTakenError
   * @throws InvalidArgumentError when the request id was used for another request.
   */
  insert(user: User, idempotencyKey?: IdempotencyKey): Promise<User>;
  /**
   * Changes a user and counts its version up.
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
  /** 32 random bytes, made once and kept with the data. */
  pageTokenKey(): Promise<Uint8Array>;
  /**
   * Rejects when the database can't be used. May be called as often as one likes: what
   * it costs is paid once a second.
   *
   * @throws DatabaseUnwritableError while it can be read, but what is written fails.
   */
  ping(): Promise<void>;
  /** Finishes the writes under way, then lets go of the database. */
  close(): Promise<void>;
}

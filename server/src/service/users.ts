import { createHash } from "node:crypto";
import { StaleUserError, UserNotFoundError } from "../domain/errors.ts";
import type { Author } from "../domain/logged-change.ts";
import type { Principal } from "../domain/principal.ts";
import { type User, type UserFields, versionOf } from "../domain/user.ts";
import { BY_CREATION, type Cursor, placeOf, type UserOrder } from "../domain/user-order.ts";
import { MAX_TOTAL_SIZE, REQUEST_ID_LIFETIME_MS } from "../limits.ts";
import type { Awaitable, ByteTarget, EncodeUser, UserRepository } from "../repository/user-repository.ts";
import { filterWords } from "./filter-words.ts";
import { sizeOf } from "./page-size.ts";
import { PageTokens } from "./page-token.ts";

export interface UsersDependencies {
  repository: UserRepository;
  /** Returns milliseconds since the Unix epoch. */
  now(): number;
  /** Returns a new UUIDv7. */
  newId(): string;
}

export interface UserPage {
  readonly users: readonly User[];
  /** Empty at the end. */
  readonly nextPageToken: string;
  /** Total number of users on all pages, if it was requested; at most {@link MAX_TOTAL_SIZE}. */
  readonly totalSize?: number;
  /** Whether there are more than totalSize. */
  readonly totalSizeExceeded?: boolean;
}

export interface UserQuery {
  /** Most users on the page; 50 for 0 or less, never more than 1000. */
  readonly pageSize: number;
  /** Token from the previous page of the same filter and order; "" for the first. */
  readonly pageToken: string;
  /** Words, each of which must be the start of a word in name or e-mail, in any case. Without words all users match. */
  readonly filter: string;
  /** Default: by creation. */
  readonly order?: UserOrder | undefined;
  readonly includeTotalSize?: boolean;
}

/** The user directory's use cases. */
export class Users {
  readonly #repository: UserRepository;
  readonly #now: () => number;
  readonly #newId: () => string;
  #pageTokens: PageTokens | undefined;

  constructor({ repository, now, newId }: UsersDependencies) {
    this.#repository = repository;
    this.#now = now;
    this.#newId = newId;
  }

  /** @throws UserNotFoundError */
  get(id: string): Awaitable<User> {
    const found = this.#repository.find(id);
    return found instanceof Promise ? found.then((user) => existing(user, id)) : existing(found, id);
  }

  /**
   * Returns users in the order of the given ids, all as they were at one moment.
   *
   * @throws UserNotFoundError for the first one that does not exist.
   */
  async getMany(ids: readonly string[]): Promise<User[]> {
    const users = await this.#repository.findMany(ids);
    return users.map((user, index) => {
      if (!user) throw new UserNotFoundError(ids[index] ?? "");
      return user;
    });
  }

  /**
   * Returns a page of users.
   *
   * @param signal Ends the search with its reason when nobody wants the page any more.
   * @throws InvalidArgumentError for a page token of another query, a token that this server did not issue, and a
   * filter of too many words.
   */
  async list(query: UserQuery, signal?: AbortSignal): Promise<UserPage> {
    const { pageSize, pageToken, order = BY_CREATION } = query;
    const pageTokens = await this.#tokens();
    const words = filterWords(query.filter);
    const queryText = textOf(order, words);
    const after = cursorOf(pageToken, pageTokens, queryText);
    const size = sizeOf(pageSize);
    // Read one more than asked for, to see whether another page follows.
    const users = await this.#repository.list({ words, order, after, limit: size + 1, signal });
    const page = users.slice(0, size);
    const last = page.at(-1);
    const nextPageToken = last && users.length > size ? pageTokens.encode(placeOf(last, order), queryText) : "";
    if (!query.includeTotalSize) return { users: page, nextPageToken };
    const count = await this.#repository.count({ words, limit: MAX_TOTAL_SIZE + 1, signal });
    const totalSize = Math.min(count, MAX_TOTAL_SIZE);
    return { users: page, nextPageToken, totalSize, totalSizeExceeded: count > totalSize };
  }

  /**
   * Appends a page of users, encoded, as {@link list} without a filter returns them by creation. Returns the token of
   * the next page. Returns undefined if the users have to be read by {@link list} instead; the contents of `target` are
   * then useless.
   *
   * @param encode The same function for all calls.
   */
  async listEncoded(
    pageSize: number,
    pageToken: string,
    encode: EncodeUser,
    target: ByteTarget,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    if (!this.#repository.listEncoded) return undefined;
    const pageTokens = await this.#tokens();
    const queryText = textOf(BY_CREATION, []);
    const after = cursorOf(pageToken, pageTokens, queryText);
    const page = await this.#repository.listEncoded({ after, limit: sizeOf(pageSize), encode, target, signal });
    return page && (page.next ? pageTokens.encode(page.next, queryText) : "");
  }

  /**
   * Adds a user. Resolves once it is on disk.
   *
   * @param requestId If it is not "", a repetition by the same principal within a day returns the first one's user
   * instead of adding a second.
   * @throws EmailTakenError
   * @throws InvalidArgumentError when requestId was used with other fields.
   */
  create({ email, name }: UserFields, requestId: string, principal: Principal | undefined): Promise<User> {
    const nowMs = this.#now();
    const author = authorOf(principal, nowMs);
    const user = { id: this.#newId(), email, name, createdAtMs: nowMs, updatedAtMs: nowMs, version: 1 };
    if (requestId === "") return this.#repository.insert(user, undefined, author);
    const requestHash = createHash("sha256")
      .update(JSON.stringify([email, name]))
      .digest("base64url");
    const notBeforeMs = nowMs - REQUEST_ID_LIFETIME_MS;
    const key = { principal: author.subject, requestId, requestHash, notBeforeMs };
    return this.#repository.insert(user, key, author);
  }

  /**
   * Changes the given fields. Without any, nothing changes.
   *
   * @param etag If it is not "", the change applies only to the version with this etag.
   * @throws UserNotFoundError
   * @throws StaleUserError
   * @throws EmailTakenError
   */
  async update(id: string, fields: Partial<UserFields>, etag: string, principal: Principal | undefined): Promise<User> {
    const version = expectedVersion(etag);
    if (Object.keys(fields).length > 0) {
      const updatedAtMs = this.#now();
      return this.#repository.update(id, { ...fields, updatedAtMs }, version, authorOf(principal, updatedAtMs));
    }
    const user = await this.get(id);
    if (version !== undefined && version !== user.version) throw new StaleUserError(id);
    return user;
  }

  /**
   * @param etag If it is not "", only the version with this etag is removed.
   * @throws UserNotFoundError
   * @throws StaleUserError
   */
  delete(id: string, etag: string, principal: Principal | undefined): Promise<void> {
    return this.#repository.delete(id, expectedVersion(etag), authorOf(principal, this.#now()));
  }

  async #tokens(): Promise<PageTokens> {
    this.#pageTokens ??= new PageTokens(await this.#repository.pageTokenKey());
    return this.#pageTokens;
  }
}

/** Returns a text of everything that a list depends on. Page tokens are bound to it. */
function textOf({ by, descending }: UserOrder, words: readonly string[]): string {
  return JSON.stringify([by, descending, words]);
}

function cursorOf(pageToken: string, pageTokens: PageTokens, query: string): Cursor | undefined {
  return pageToken === "" ? undefined : pageTokens.decode(pageToken, query);
}

function authorOf(principal: Principal | undefined, atMs: number): Author {
  return { subject: principal?.subject ?? "", atMs };
}

/** @throws UserNotFoundError */
function existing(user: User | undefined, id: string): User {
  if (!user) throw new UserNotFoundError(id);
  return user;
}

function expectedVersion(etag: string): number | undefined {
  return etag === "" ? undefined : versionOf(etag);
}

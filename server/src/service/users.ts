import { createHash } from "node:crypto";
import { StaleUserError, UserNotFoundError } from "../domain/errors.ts";
import type { Principal } from "../domain/principal.ts";
import { searchKey, type User, type UserFields, versionOf } from "../domain/user.ts";
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, REQUEST_ID_LIFETIME_MS } from "../limits.ts";
import type { Awaitable, ByteTarget, Cursor, EncodeUser, UserRepository } from "../repository/user-repository.ts";
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
   * Returns a page of users in the order of their creation.
   *
   * @param pageSize Most users on the page; 50 when 0 or less, never more than 1000.
   * @param pageToken Token from the previous page with the same filter; "" for the first.
   * @param filter Prefix of e-mail or name in any case; "" for all.
   * @param signal Ends the search with its reason when nobody wants the page any more.
   * @throws InvalidArgumentError for a page token of another query, or one that this server did not issue.
   */
  async list(pageSize: number, pageToken: string, filter: string, signal?: AbortSignal): Promise<UserPage> {
    const pageTokens = await this.#tokens();
    const prefix = searchKey(filter);
    const after = placeOf(pageToken, pageTokens, prefix);
    const size = sizeOf(pageSize);
    // Read one more than asked for, to see whether another page follows.
    const users = await this.#repository.list({ after, limit: size + 1, prefix, signal });
    const page = users.slice(0, size);
    const last = page.at(-1);
    const nextPageToken = last && users.length > size ? pageTokens.encode(last, prefix) : "";
    return { users: page, nextPageToken };
  }

  /**
   * Appends the users of a page of {@link list} without a filter, encoded. Returns the token of the next page, or
   * undefined where the users have to be read by {@link list}; `target` is then of no use any more.
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
    const after = placeOf(pageToken, pageTokens, "");
    const page = await this.#repository.listEncoded({ after, limit: sizeOf(pageSize), encode, target, signal });
    return page && (page.next ? pageTokens.encode(page.next, "") : "");
  }

  /**
   * Adds a user. Resolves once it is on disk.
   *
   * @param requestId When not "", a repetition within a day by the same principal gets the first one's user instead of
   * a second.
   * @throws EmailTakenError
   * @throws InvalidArgumentError when requestId was used with other fields.
   */
  create({ email, name }: UserFields, requestId: string, principal: Principal | undefined): Promise<User> {
    const nowMs = this.#now();
    const user = { id: this.#newId(), email, name, createdAtMs: nowMs, updatedAtMs: nowMs, version: 1 };
    if (requestId === "") return this.#repository.insert(user);
    return this.#repository.insert(user, {
      principal: principal?.subject ?? "",
      requestId,
      requestHash: createHash("sha256")
        .update(JSON.stringify([email, name]))
        .digest("base64url"),
      notBeforeMs: nowMs - REQUEST_ID_LIFETIME_MS,
    });
  }

  /**
   * Changes the given fields. Without any, nothing changes.
   *
   * @param etag When not "", the change applies only to the version that it stands for.
   * @throws UserNotFoundError
   * @throws StaleUserError
   * @throws EmailTakenError
   */
  async update(id: string, fields: Partial<UserFields>, etag: string): Promise<User> {
    const version = expectedVersion(etag);
    if (Object.keys(fields).length > 0) {
      return this.#repository.update(id, { ...fields, updatedAtMs: this.#now() }, version);
    }
    const user = await this.get(id);
    if (version !== undefined && version !== user.version) throw new StaleUserError(id);
    return user;
  }

  /**
   * @param etag When not "", only the version that it stands for is removed.
   * @throws UserNotFoundError
   * @throws StaleUserError
   */
  delete(id: string, etag: string): Promise<void> {
    return this.#repository.delete(id, expectedVersion(etag));
  }

  async #tokens(): Promise<PageTokens> {
    this.#pageTokens ??= new PageTokens(await this.#repository.pageTokenKey());
    return this.#pageTokens;
  }
}

function placeOf(pageToken: string, pageTokens: PageTokens, query: string): Cursor | undefined {
  return pageToken === "" ? undefined : pageTokens.decode(pageToken, query);
}

function sizeOf(pageSize: number): number {
  return pageSize > 0 ? Math.min(pageSize, MAX_PAGE_SIZE) : DEFAULT_PAGE_SIZE;
}

/** @throws UserNotFoundError */
function existing(user: User | undefined, id: string): User {
  if (!user) throw new UserNotFoundError(id);
  return user;
}

function expectedVersion(etag: string): number | undefined {
  return etag === "" ? undefined : versionOf(etag);
}

import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { createLinkedAbortController } from "@connectrpc/connect/protocol";
import type {
  CreateUserRequestSchema,
  GetUserHistoryRequestSchema,
  GetUserHistoryResponse,
  ListUsersRequestSchema,
  ListUsersResponse,
  UpdateUserRequestSchema,
  User,
  UserService,
} from "@rollcall/gen/user/v1/user";
import type { CallOptions } from "./call-options.ts";
import { domainErrors, withDomainErrors } from "./internal/domain-errors.ts";
import type { OrUndefined } from "./internal/or-undefined.ts";
import { randomId } from "./internal/random-id.ts";
import type { ServiceClient } from "./internal/service-client.ts";
import {
  type UserEvent,
  type WatchingClient,
  type WatchOptions,
  type WatchQuery,
  watchUsers,
} from "./streams/watch.ts";

export type NewUser = OrUndefined<Omit<MessageInitShape<typeof CreateUserRequestSchema>, "$typeName">>;
export type UserChanges = OrUndefined<Pick<MessageInitShape<typeof UpdateUserRequestSchema>, "email" | "name">>;
export type UserQuery = OrUndefined<Omit<MessageInitShape<typeof ListUsersRequestSchema>, "$typeName">>;
export type HistoryQuery = OrUndefined<
  Pick<MessageInitShape<typeof GetUserHistoryRequestSchema>, "pageSize" | "pageToken">
>;

export interface UserWriteOptions extends CallOptions {
  /** The write applies only if the user still has this etag. */
  etag?: string | undefined;
}

/** The user directory. Methods throw RollcallErrors for refusals that a caller can act on, otherwise ConnectErrors. */
export class Users {
  readonly #calls: ServiceClient<typeof UserService>;
  readonly #client: WatchingClient;

  constructor(calls: ServiceClient<typeof UserService>, client: WatchingClient) {
    this.#calls = calls;
    this.#client = client;
  }

  /** @throws UserNotFoundError */
  get(id: string, options?: CallOptions): Promise<User> {
    return userOf(this.#calls.getUser({ id }, options));
  }

  /**
   * Returns up to 1,000 users, in the order of the given ids.
   *
   * @throws UserNotFoundError for the first that does not exist; it then returns none.
   */
  async batchGet(ids: readonly string[], options?: CallOptions): Promise<User[]> {
    return domainErrors(this.#calls.batchGetUsers({ ids: [...ids] }, options), ({ users }) => users);
  }

  /**
   * Creates a user. If there is no request id, makes one, so that a retry does not create a second user.
   *
   * @throws EmailTakenError
   * @throws ValidationError
   */
  create(user: NewUser, options?: CallOptions): Promise<User> {
    return userOf(this.#calls.createUser({ ...user, requestId: user.requestId || randomId() }, options));
  }

  /**
   * Changes the given fields; without any, nothing changes.
   *
   * @throws UserNotFoundError
   * @throws StaleUserError
   * @throws EmailTakenError
   * @throws ValidationError
   */
  update(id: string, { email, name }: UserChanges, { etag, ...options }: UserWriteOptions = {}): Promise<User> {
    const fields = Object.entries({ email, name }).filter(([, value]) => value !== undefined);
    const updateMask = { paths: fields.map(([path]) => path) };
    const request = { id, ...Object.fromEntries(fields), ...(etag !== undefined && { etag }) };
    return userOf(this.#calls.updateUser(fields.length > 0 ? { ...request, updateMask } : request, options));
  }

  /**
   * @throws UserNotFoundError
   * @throws StaleUserError
   */
  async delete(id: string, { etag, ...options }: UserWriteOptions = {}): Promise<void> {
    await domainErrors(this.#calls.deleteUser({ id, ...(etag !== undefined && { etag }) }, options));
  }

  /**
   * Returns a page of users, in the order of their creation or by `orderBy`: "create_time", "update_time", "name" or
   * "email", alone or with " desc". Each word of `filter` must be the start of a word in name or e-mail.
   * `nextPageToken` is empty at the end. With `includeTotalSize` the page has `totalSize`, up to 10,000, and
   * `totalSizeExceeded` if there are more.
   */
  list(query: UserQuery = {}, options?: CallOptions): Promise<ListUsersResponse> {
    return domainErrors(this.#calls.listUsers(query, options));
  }

  /**
   * Yields all users, in the order of their creation or by `orderBy`, and reads page by page as the loop goes. The
   * deadline applies to each page. In orders other than by creation, a user that changes its place meanwhile can be
   * missed or come twice.
   *
   * @throws ConnectError internal for a page that is said to be followed by itself.
   */
  async *listAll(
    { pageSize = 1_000, filter = "", orderBy = "" }: Pick<UserQuery, "pageSize" | "filter" | "orderBy"> = {},
    options?: CallOptions,
  ): AsyncIterable<User> {
    let pageToken = "";
    do {
      const page = await this.list({ pageSize, filter, orderBy, pageToken }, options);
      yield* page.users;
      // Such pages would never end, and without users the reader could not leave.
      if (page.nextPageToken !== "" && page.nextPageToken === pageToken) {
        throw new ConnectError("the server's pages do not go on", Code.Internal);
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /**
   * Yields the changes of users as they are made: from now on, after `resumeToken`, or with `includeExisting` after the
   * existing users. Opens a lost stream again by itself, and misses nothing. Leaving the loop ends the call.
   *
   * @throws ChangesGoneError when the changes after the resume token are no longer available; with `includeExisting` a
   * `reset` comes instead.
   */
  watch(query: WatchQuery = {}, options: WatchOptions = {}): AsyncIterable<UserEvent> {
    const call = createLinkedAbortController(options.signal);
    return withDomainErrors(watchUsers(this.#calls, query, { ...options, signal: call.signal }, this.#client), call);
  }

  /** Returns a page of a user's changes, the latest first, for as long as the server keeps them. */
  history(id: string, query: HistoryQuery = {}, options?: CallOptions): Promise<GetUserHistoryResponse> {
    return domainErrors(this.#calls.getUserHistory({ ...query, id }, options));
  }
}

function userOf(call: Promise<{ user?: User | undefined }>): Promise<User> {
  return domainErrors(call, ({ user }) => {
    if (!user) throw new ConnectError("broken response: it has no user", Code.Internal);
    return user;
  });
}

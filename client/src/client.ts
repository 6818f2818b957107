// Apps that target less than ES2026 know these types by it.
/// <reference lib="esnext.disposable" preserve="true" />
import type { DescService, MessageInitShape } from "@bufbuild/protobuf";
import { type CallOptions, type Client, createClient, createContextValues, type Transport } from "@connectrpc/connect";
import { type ServerStreamResponse, StreamService } from "@rollcall/gen/stream/v1/stream";
import {
  type CreateUserRequestSchema,
  type GetUserHistoryResponse,
  type ListUsersRequestSchema,
  type ListUsersResponse,
  type UpdateUserRequestSchema,
  type User,
  UserService,
} from "@rollcall/gen/user/v1/user";
import { toRollcallError } from "./errors.ts";
import { randomId } from "./internal/random-id.ts";
import { MAX_TIMEOUT_MS } from "./options.ts";
import { explainDeadline } from "./retry/last-fault.ts";
import { type Chat, openChat } from "./streams/chat.ts";
import { type Sha256, type UploadOptions, type UploadReceipt, type UploadSource, upload } from "./streams/upload.ts";
import { type UserEvent, type WatchOptions, watchUsers } from "./streams/watch.ts";

/** Parts of a client. `createRollcallClient` chooses them for browsers and for Node. */
export interface ClientParts {
  transport: Transport;
  /** Deadline of a unary call that sets none, in milliseconds. */
  timeoutMs: number;
  createSha256(): Sha256;
  close(): Promise<void>;
}

export type NewUser = Omit<MessageInitShape<typeof CreateUserRequestSchema>, "$typeName">;
export type UserChanges = Pick<MessageInitShape<typeof UpdateUserRequestSchema>, "email" | "name" | "etag">;
export type UserQuery = Pick<MessageInitShape<typeof ListUsersRequestSchema>, "pageSize" | "filter" | "orderBy">;

/**
 * Calls Rollcall. The methods here throw RollcallErrors for refusals that a caller can act on, and ConnectErrors for
 * the rest. `users` and `streams` are the generated clients below them, over the same transport.
 */
export class RollcallClient implements AsyncDisposable {
  readonly users: Client<typeof UserService>;
  readonly streams: Client<typeof StreamService>;
  readonly #transport: Transport;
  readonly #createSha256: () => Sha256;
  readonly #close: () => Promise<void>;

  constructor({ transport, timeoutMs, createSha256, close }: ClientParts) {
    this.#transport = withDefaultTimeout(transport, timeoutMs);
    this.users = this.service(UserService);
    this.streams = this.service(StreamService);
    this.#createSha256 = createSha256;
    this.#close = close;
  }

  /** Returns the generated client of any service, over the same transport and interceptors. It throws ConnectErrors. */
  service<T extends DescService>(service: T): Client<T> {
    return createClient(service, this.#transport);
  }

  /** @throws UserNotFoundError */
  getUser(id: string, options?: CallOptions): Promise<User> {
    return userOf(this.users.getUser({ id }, options));
  }

  /**
   * Returns up to 1,000 users, in the order of their ids.
   *
   * @throws UserNotFoundError for the first that does not exist; it then returns none.
   */
  async getUsers(ids: readonly string[], options?: CallOptions): Promise<User[]> {
    return (await domainErrors(this.users.batchGetUsers({ ids: [...ids] }, options))).users;
  }

  /**
   * Creates a user. Makes a request id unless it gets one, so that a retry creates no second user.
   *
   * @throws EmailTakenError
   * @throws ValidationError
   */
  createUser(user: NewUser, options?: CallOptions): Promise<User> {
    return userOf(this.users.createUser({ ...user, requestId: user.requestId || randomId() }, options));
  }

  /**
   * Changes the given fields; without any, nothing changes. With an etag, changes them only if the user still has it.
   *
   * @throws UserNotFoundError
   * @throws StaleUserError
   * @throws EmailTakenError
   * @throws ValidationError
   */
  updateUser(id: string, changes: UserChanges, options?: CallOptions): Promise<User> {
    const paths = (["email", "name"] as const).filter((path) => changes[path] !== undefined);
    return userOf(
      this.users.updateUser({ ...changes, id, ...(paths.length > 0 && { updateMask: { paths } }) }, options),
    );
  }

  /**
   * @throws UserNotFoundError
   * @throws StaleUserError
   */
  async deleteUser(id: string, { etag, ...options }: CallOptions & { etag?: string } = {}): Promise<void> {
    await domainErrors(this.users.deleteUser({ id, ...(etag !== undefined && { etag }) }, options));
  }

  /**
   * Returns a page of users, in the order of their creation or by `orderBy`: "create_time", "update_time", "name" or
   * "email", alone or with " desc". Each word of `filter` has to be the start of one in name or e-mail. `nextPageToken` is
   * empty at the end. With `includeTotalSize` the page has `totalSize`, up to 10,000, and `totalSizeExceeded` beyond.
   */
  listUsers(
    query: MessageInitShape<typeof ListUsersRequestSchema> = {},
    options?: CallOptions,
  ): Promise<ListUsersResponse> {
    return domainErrors(this.users.listUsers(query, options));
  }

  /**
   * Yields all users, in the order of their creation or by `orderBy`, and reads page by page as the loop goes. The deadline
   * applies to each page. In another order, a user that changes its place meanwhile can be missed or come twice.
   */
  async *listAllUsers(
    { pageSize = 1_000, filter = "", orderBy = "" }: UserQuery = {},
    options?: CallOptions,
  ): AsyncIterable<User> {
    let pageToken = "";
    do {
      const page = await this.listUsers({ pageSize, filter, orderBy, pageToken }, options);
      yield* page.users;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /**
   * Yields the changes of users as they are made, from now on, behind `resumeToken`, or with `includeExisting` after the
   * users that exist. Opens a lost stream again by itself, and misses nothing. Leaving the loop ends the call.
   *
   * @throws ChangesGoneError when the changes behind the resume token are no longer to be had; with `includeExisting` a
   * `reset` comes instead.
   */
  async *watchUsers(options: WatchOptions = {}): AsyncIterable<UserEvent> {
    try {
      yield* watchUsers((request, signal) => this.users.watchUsers(request, { signal }), options);
    } catch (error) {
      throw toRollcallError(error);
    }
  }

  /** Returns a page of a user's changes, the latest first, for as long as the server keeps them. */
  getUserHistory(
    id: string,
    page: { pageSize?: number; pageToken?: string } = {},
    options?: CallOptions,
  ): Promise<GetUserHistoryResponse> {
    return domainErrors(this.users.getUserHistory({ ...page, id }, options));
  }

  /** Yields the results of a query as they come. Leaving the loop cancels the call. */
  async *query(text: string, options: CallOptions = {}): AsyncIterable<ServerStreamResponse> {
    try {
      yield* this.streams.serverStream({ query: text }, options);
    } catch (error) {
      throw toRollcallError(error);
    }
  }

  /**
   * Sends the source in 64 KiB chunks and compares checksums at the end. Only the server's deadline applies, unless the
   * options set one.
   *
   * @throws ChecksumMismatchError
   */
  uploadFile(source: UploadSource, options: UploadOptions = {}): Promise<UploadReceipt> {
    return upload(this.streams, source, this.#createSha256(), options);
  }

  /** Opens a conversation. Only the server's deadline applies, unless the options set one. */
  chat(options: CallOptions = {}): Chat {
    return openChat(this.streams, options);
  }

  /**
   * Lets open calls finish and closes the connections. Later calls, and those that still wait for a connection, are
   * canceled.
   */
  close(): Promise<void> {
    return this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function domainErrors<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw toRollcallError(error);
  }
}

async function userOf(call: Promise<{ user?: User | undefined }>): Promise<User> {
  const { user } = await domainErrors(call);
  if (!user) throw new Error("the server's answer has no user");
  return user;
}

/**
 * Gives unary calls a deadline; streams may last. Limits each deadline to one that can be sent. When one ends a call,
 * its error says what the call was waiting for.
 */
function withDefaultTimeout(transport: Transport, defaultTimeoutMs: number): Transport {
  return {
    async unary(method, signal, timeoutMs = defaultTimeoutMs, header, message, values = createContextValues()) {
      const boundedMs = Math.min(timeoutMs, MAX_TIMEOUT_MS);
      try {
        return await transport.unary(method, signal, boundedMs, header, message, values);
      } catch (error) {
        throw explainDeadline(error, values);
      }
    },
    async stream(method, signal, timeoutMs, header, messages, values = createContextValues()) {
      const boundedMs = timeoutMs && Math.min(timeoutMs, MAX_TIMEOUT_MS);
      try {
        return await transport.stream(method, signal, boundedMs, header, messages, values);
      } catch (error) {
        throw explainDeadline(error, values);
      }
    },
  };
}

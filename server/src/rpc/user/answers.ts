import type { User as UserMessage } from "@rollcall/gen/user/v1/user";
import type { GrowingBuffer } from "@rollcall/shared/growing-buffer";
import type { User } from "../../domain/user.ts";
import type { UserPage } from "../../service/users.ts";
import { EncodedAnswer } from "../encoded-answer.ts";
import { decodeUsers } from "./decode.ts";
import { encodePageToken, encodeUser, encodeUserPage } from "./encode.ts";
import { userJson, userPageJson } from "./encode-json.ts";
import { toUserMessage } from "./mapper.ts";

/** Answer with one user. The message is made only for carriers that need one. */
export class UserAnswer extends EncodedAnswer {
  readonly #user: User;

  constructor(user: User) {
    super();
    this.#user = user;
  }

  get user(): UserMessage {
    return toUserMessage(this.#user);
  }

  toBytes(): Uint8Array {
    return encodeUser(this.#user);
  }

  toJsonText(): string {
    return userJson(this.#user);
  }
}

/** The same for a page of users, and for a batch, whose answer has only the first field of a page's. */
export class UserPageAnswer extends EncodedAnswer {
  readonly #page: UserPage;

  constructor(page: UserPage) {
    super();
    this.#page = page;
  }

  get users(): UserMessage[] {
    return this.#page.users.map(toUserMessage);
  }

  get nextPageToken(): string {
    return this.#page.nextPageToken;
  }

  get totalSize(): number | undefined {
    return this.#page.totalSize;
  }

  get totalSizeExceeded(): boolean {
    return this.#page.totalSizeExceeded ?? false;
  }

  toBytes(): Uint8Array {
    return encodeUserPage(this.#page);
  }

  toJsonText(): string {
    return userPageJson(this.#page);
  }
}

/** The same for a page of users that are already encoded. */
export class EncodedUserPageAnswer extends EncodedAnswer {
  readonly nextPageToken: string;
  readonly #users: Uint8Array;
  readonly #bytes: Uint8Array;

  /** @param page The users, one after the other. The rest of the answer is appended. */
  constructor(page: GrowingBuffer, nextPageToken: string) {
    super();
    this.nextPageToken = nextPageToken;
    this.#users = page.bytes;
    page.append(encodePageToken(nextPageToken));
    this.#bytes = page.bytes;
  }

  get users(): UserMessage[] {
    return decodeUsers(this.#users).map(toUserMessage);
  }

  toBytes(): Uint8Array {
    return this.#bytes;
  }

  toJsonText(): string {
    return userPageJson({ users: decodeUsers(this.#users), nextPageToken: this.nextPageToken });
  }
}

import type { User as UserMessage } from "@rollcall/gen/user/v1/user";
import type { User } from "../../domain/user.ts";
import type { EncodedUserPage, UserPage } from "../../service/users.ts";
import { EncodedAnswer } from "../encoded-answer.ts";
import { decodeUsers } from "./decode.ts";
import { encodeUser, encodeUserPage, joinUserPage } from "./encode.ts";
import { userJson, userPageJson } from "./encode-json.ts";
import { toUserMessage } from "./mapper.ts";

/** Answer with one user: the message is made only for carriers that want one. */
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

/** The same for a page of users. */
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

  toBytes(): Uint8Array {
    return encodeUserPage(this.#page);
  }

  toJsonText(): string {
    return userPageJson(this.#page);
  }
}

/** The same for a page of encoded users. */
export class EncodedUserPageAnswer extends EncodedAnswer {
  readonly #page: EncodedUserPage;

  constructor(page: EncodedUserPage) {
    super();
    this.#page = page;
  }

  get users(): UserMessage[] {
    return decodeUsers(this.#page.users).map(toUserMessage);
  }

  get nextPageToken(): string {
    return this.#page.nextPageToken;
  }

  toBytes(): Uint8Array {
    return joinUserPage(this.#page);
  }

  toJsonText(): string {
    return userPageJson({ ...this.#page, users: decodeUsers(this.#page.users) });
  }
}

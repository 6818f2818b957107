import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  BatchGetUsersResponseSchema,
  GetUserResponseSchema,
  ListUsersResponseSchema,
  WatchUsersResponseSchema,
} from "@rollcall/gen/user/v1/user";
import { GrowingBuffer } from "@rollcall/shared/growing-buffer";
import { createRandom } from "@rollcall/testing/random";
import { expect, test } from "vitest";
import type { User } from "../../domain/user.ts";
import { EncodedUserPageAnswer } from "./answers.ts";
import { encodeUser, encodeUserPage } from "./encode.ts";
import { userJson, userPageJson } from "./encode-json.ts";
import { toUserMessage } from "./mapper.ts";
import { WatchAnswer } from "./watch-answer.ts";

const seed = Number(process.env.FUZZ_SEED ?? 1);
const random = createRandom(seed);

/** Makes characters of one to four bytes, and lengths around those at which the length itself takes another byte. */
function randomText(): string {
  const char = random.pick(["a", "Z", "\u0000", "\u007f", "\u0080", "é", "漢", "𝔸"]);
  const length = random.pick([0, 1, 15, 63, 64, 65, 127, 128, 129, 1_000, 16_383, 16_384, random.below(200)]);
  return char.repeat(length) + random.pick(["", "x", "é"]);
}

function randomMs(): number {
  return (
    random.pick([0, 1, 999, 1_000, 127_000, 128_000, 1_700_000_000_000, 8_640_000_000_000_000]) + random.below(2_000)
  );
}

function randomUser(): User {
  return {
    ...{ id: randomText(), email: randomText(), name: randomText() },
    ...{ createdAtMs: randomMs(), updatedAtMs: randomMs() },
    version: random.pick([1, 9, 127, 128, Number.MAX_SAFE_INTEGER]),
  };
}

function randomTotal(): { totalSize?: number; totalSizeExceeded?: boolean } {
  return random.pick([{}, { totalSize: random.pick([0, 127, 128, 10_000]), totalSizeExceeded: random.below(2) === 1 }]);
}

test(`the bytes of users are those that the runtime makes of their messages (FUZZ_SEED=${seed})`, () => {
  for (let i = 0; i < 300; i++) {
    const users = Array.from({ length: random.below(4) }, randomUser);
    const nextPageToken = randomText();
    const fields = { nextPageToken, ...randomTotal() };
    const page = create(ListUsersResponseSchema, { users: users.map(toUserMessage), ...fields });
    const bytes = Buffer.from(encodeUserPage({ users, ...fields }));
    expect(bytes.equals(toBinary(ListUsersResponseSchema, page))).toBe(true);
    const batch = create(BatchGetUsersResponseSchema, { users: users.map(toUserMessage) });
    const batchBytes = Buffer.from(encodeUserPage({ users, nextPageToken: "" }));
    expect(batchBytes.equals(toBinary(BatchGetUsersResponseSchema, batch))).toBe(true);
    for (const one of users) {
      const answer = create(GetUserResponseSchema, { user: toUserMessage(one) });
      expect(Buffer.from(encodeUser(one)).equals(toBinary(GetUserResponseSchema, answer))).toBe(true);
    }
  }
});

/** Joins users that were encoded one by one, as a repository that keeps their encodings does. */
function joinedAnswer(users: readonly User[], nextPageToken: string): EncodedUserPageAnswer {
  const page = new GrowingBuffer(Number.MAX_SAFE_INTEGER);
  for (const user of users) page.append(encodeUser(user));
  return new EncodedUserPageAnswer(page, nextPageToken);
}

test(`a page of encoded users is the page of its users, in bytes, messages and JSON (FUZZ_SEED=${seed})`, () => {
  for (let i = 0; i < 300; i++) {
    const users = Array.from({ length: random.below(4) }, randomJsonUser);
    const nextPageToken = randomText();
    const answer = joinedAnswer(users, nextPageToken);
    expect(Buffer.from(answer.toBytes()).equals(encodeUserPage({ users, nextPageToken }))).toBe(true);
    const page = create(ListUsersResponseSchema, answer);
    expect(page).toEqual(
      create(ListUsersResponseSchema, { users: wellFormed(users).map(toUserMessage), nextPageToken }),
    );
    expect(answer.toJsonText()).toBe(userPageJson({ users: wellFormed(users), nextPageToken }));
  }
});

/** Replaces halves of surrogate pairs, which UTF-8 can't have. */
function wellFormed(users: readonly User[]): User[] {
  return users.map((user) => ({ ...user, name: user.name.toWellFormed() }));
}

/** Makes a user like {@link randomUser}, at a time that JSON can have, with characters that JSON escapes. */
function randomJsonUser(): User {
  const ms = () => random.pick([0, 1, 999, 1_000, 1_700_000_000_000, 253_402_300_799_000]) + random.below(1_000);
  const name = randomText() + random.pick(["", '"\\', "\u2028\n\t", "\ud800", "</script>"]);
  return { ...randomUser(), name, createdAtMs: ms(), updatedAtMs: ms() };
}

test(`the JSON of users is what the runtime makes of their messages (FUZZ_SEED=${seed})`, () => {
  for (let i = 0; i < 300; i++) {
    const users = Array.from({ length: random.below(4) }, randomJsonUser);
    const nextPageToken = randomText();
    const fields = { nextPageToken, ...randomTotal() };
    const page = create(ListUsersResponseSchema, { users: users.map(toUserMessage), ...fields });
    expect(userPageJson({ users, ...fields })).toBe(toJsonString(ListUsersResponseSchema, page));
    const batch = create(BatchGetUsersResponseSchema, { users: users.map(toUserMessage) });
    expect(userPageJson({ users, nextPageToken: "" })).toBe(toJsonString(BatchGetUsersResponseSchema, batch));
    for (const one of users) {
      const answer = create(GetUserResponseSchema, { user: toUserMessage(one) });
      expect(userJson(one)).toBe(toJsonString(GetUserResponseSchema, answer));
    }
  }
});

test("a page larger than the memory for it leaves that for the next", () => {
  const large: User = { id: "1", email: "e", name: "漢".repeat(100_000), createdAtMs: 1, updatedAtMs: 2, version: 3 };
  for (const users of [[large], Array.from({ length: 5 }, () => large), [{ ...large, name: "n" }]]) {
    const page = create(ListUsersResponseSchema, { users: users.map(toUserMessage) });
    const bytes = encodeUserPage({ users, nextPageToken: "" });
    expect(Buffer.from(bytes).equals(toBinary(ListUsersResponseSchema, page))).toBe(true);
  }
});

test(`the bytes and JSON of events are those that the runtime makes of their messages (FUZZ_SEED=${seed})`, () => {
  for (let i = 0; i < 300; i++) {
    const kind = random.pick(["created", "updated", "removed", "synced", "progress", "reset"] as const);
    const user = kind === "created" || kind === "updated" ? randomJsonUser() : undefined;
    const userId = user?.id ?? (kind === "removed" ? randomText() : "");
    const [resumeToken, changeId] = random.pick([
      ["", ""],
      ["d3-_".repeat(random.pick([1, 31, 32, 40])), ""],
      ["dw", "0123abc.00000000001"],
    ] as const);
    const answer = new WatchAnswer({ kind, user, userId, resumeToken, changeId, place: "" });
    const message = create(WatchUsersResponseSchema, answer);
    expect(message.event.case).toBe(kind);
    expect(Buffer.from(answer.toBytes()).equals(toBinary(WatchUsersResponseSchema, message))).toBe(true);
    expect(answer.toJsonText()).toBe(toJsonString(WatchUsersResponseSchema, message));
    expect(answer.toBytes()).toBe(answer.toBytes());
  }
});

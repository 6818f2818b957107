import { describe, expect, test } from "vitest";
import { EmailTakenError, InvalidArgumentError, StaleUserError, UserNotFoundError } from "../domain/errors.ts";
import { randomUuidV7 } from "../runtime/uuid-v7.ts";
import { describeChangeLog } from "./change-log.contract.ts";
import { newUser } from "./new-user.contract.ts";
import { describeUserList } from "./user-list.contract.ts";
import type { IdempotencyKey, UserRepository } from "./user-repository.ts";
import { describeUserSearch } from "./user-search.contract.ts";

/** Tests the rules that every repository must keep. The test of each one passes a function that opens an empty one. */
export function describeUserRepository(name: string, open: () => Promise<UserRepository & AsyncDisposable>): void {
  const keyOf = (fields: Partial<IdempotencyKey> = {}): IdempotencyKey => ({
    principal: "ada",
    requestId: "1",
    requestHash: "a",
    notBeforeMs: 0,
    ...fields,
  });

  describe(name, () => {
    test("stores users unchanged, whatever their text", async () => {
      await using users = await open();
      for (const [index, text] of [
        "Ada",
        "Ünïcödé 你好 🦆",
        "' OR 1=1 --",
        'quote"s',
        "%_*?",
        "\u{10FFFF}",
      ].entries()) {
        const user = newUser({ name: text, email: `${index}-${text}@example.com` });
        expect(await users.insert(user)).toEqual(user);
        expect(await users.find(user.id)).toEqual(user);
      }
      expect(await users.find("nobody")).toBeUndefined();
    });

    test("accepts an e-mail once, whatever its case and composition", async () => {
      await using users = await open();
      await users.insert(newUser({ email: "Zoé@example.com" }));
      await expect(users.insert(newUser({ email: "zoÉ@EXAMPLE.com".normalize("NFD") }))).rejects.toThrow(
        EmailTakenError,
      );
      const other = await users.insert(newUser());
      await expect(users.update(other.id, { email: "ZOÉ@example.com", updatedAtMs: 5 })).rejects.toThrow(
        EmailTakenError,
      );
      expect(await users.find(other.id)).toEqual(other);
    });

    test("frees an e-mail when its user is deleted", async () => {
      await using users = await open();
      const user = await users.insert(newUser());
      await users.delete(user.id);
      expect(await users.find(user.id)).toBeUndefined();
      const { email } = user;
      expect(await users.insert(newUser({ email }))).toMatchObject({ email });
      await expect(users.delete(user.id)).rejects.toThrow(UserNotFoundError);
    });

    test("finds nobody by an id that nobody can have, without harm to others at the same time", async () => {
      await using users = await open();
      const user = await users.insert(newUser());
      for (const id of ["", "a\0b", "\0", "\ufffd", '{a,"b\\']) {
        const outcomes = await Promise.allSettled([
          users.find(id),
          users.find(user.id),
          users.findMany([user.id, id, user.id]),
          users.update(id, { name: "B", updatedAtMs: 1 }),
          users.update(user.id, { name: "C", updatedAtMs: 1 }),
          users.delete(id),
        ]);
        expect(outcomes, JSON.stringify(id)).toMatchObject([
          { value: undefined },
          { value: { id: user.id } },
          { value: [{ id: user.id }, undefined, { id: user.id }] },
          { reason: expect.any(UserNotFoundError) },
          { value: { id: user.id, name: "C" } },
          { reason: expect.any(UserNotFoundError) },
        ]);
      }
    });

    test("increments versions, and changes only the expected one", async () => {
      await using users = await open();
      const user = await users.insert(newUser());
      const second = await users.update(user.id, { name: "B", updatedAtMs: 1_000_000 }, 1);
      expect(second).toEqual({ ...user, name: "B", updatedAtMs: 1_000_000, version: 2 });
      await expect(users.update(user.id, { name: "C", updatedAtMs: 2_000_000 }, 1)).rejects.toThrow(StaleUserError);
      await expect(users.delete(user.id, 1)).rejects.toThrow(StaleUserError);
      await expect(users.update("nobody", { updatedAtMs: 1 }, 1)).rejects.toThrow(UserNotFoundError);
      expect(await users.find(user.id)).toEqual(second);
      // Even if the clock was set back, a user's time of change must not decrease.
      expect(await users.update(user.id, { updatedAtMs: 1 })).toMatchObject({ updatedAtMs: 1_000_000, version: 3 });
    });

    test("lets one of many concurrent changes of a version win", async () => {
      await using users = await open();
      const { id } = await users.insert(newUser());
      const change = (name: string) => users.update(id, { name, updatedAtMs: 1 }, 1);
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => change(`Name ${index}`)));
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      expect(await users.find(id)).toMatchObject({ version: 2 });
    });

    test("lets one of many concurrent inserts of an e-mail win, without harm to others at the same time", async () => {
      await using users = await open();
      const rivals = Array.from({ length: 20 }, () => users.insert(newUser({ email: "one@example.com" })));
      const others = Array.from({ length: 20 }, () => users.insert(newUser()));
      const outcomes = await Promise.allSettled(rivals);
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      expect(await Promise.all(others)).toHaveLength(20);
      expect(await users.list({ limit: 100 })).toHaveLength(21);
    });

    describeUserList(open);
    describeUserSearch(open);
    describeChangeLog(open);

    test("creates one user for a repeated request, and none if its content differs", async () => {
      await using users = await open();
      const user = newUser();
      const same = Array.from({ length: 5 }, () => users.insert({ ...user, id: randomUuidV7() }, keyOf()));
      const ids = new Set((await Promise.all(same)).map(({ id }) => id));
      expect(ids.size).toBe(1);
      await expect(users.insert(newUser(), keyOf({ requestHash: "b" }))).rejects.toThrow(InvalidArgumentError);
      const [id = ""] = ids;
      await users.update(id, { name: "changed", updatedAtMs: 99 });
      expect(await users.insert(newUser(), keyOf())).toEqual({ ...user, id });
      expect(await users.insert(newUser(), keyOf({ principal: "grace" }))).not.toMatchObject({ id });
      expect(await users.insert(newUser(), keyOf({ requestId: "2" }))).not.toMatchObject({ id });
      const later = newUser();
      expect(await users.insert(later, keyOf({ notBeforeMs: later.createdAtMs }))).not.toMatchObject({ id });
    });

    test("does not remember a request that failed", async () => {
      await using users = await open();
      const taken = await users.insert(newUser());
      const { email } = taken;
      await expect(users.insert(newUser({ email }), keyOf())).rejects.toThrow(EmailTakenError);
      await users.delete(taken.id);
      expect(await users.insert(newUser({ email }), keyOf())).toMatchObject({ email });
    });

    test("has its own secret key", async () => {
      await using users = await open();
      await using others = await open();
      const key = await users.pageTokenKey();
      expect(key).toHaveLength(32);
      expect(await users.pageTokenKey()).toEqual(key);
      expect(await others.pageTokenKey()).not.toEqual(key);
    });

    test("finishes open writes when it is closed, and refuses later ones", async () => {
      const users = await open();
      const pending = Array.from({ length: 10 }, () => users.insert(newUser()));
      await users.ping();
      await users.close();
      expect(await Promise.all(pending)).toHaveLength(10);
      await expect(users.insert(newUser())).rejects.toThrow("database unavailable");
      await expect(users.ping()).rejects.toThrow("database unavailable");
      await users[Symbol.asyncDispose]();
    });
  });
}

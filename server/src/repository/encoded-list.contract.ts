import { expect, test } from "vitest";
import type { User } from "../domain/user.ts";
import { BY_CREATION, type Cursor, placeOf } from "../domain/user-order.ts";
import { newUser } from "./new-user.contract.ts";
import type { EncodeUser, UserRepository } from "./user-repository.ts";

/** Encodes a user as one line, for tests. */
export const encodeLine: EncodeUser = (user) => Buffer.from(`${JSON.stringify(user)}\n`);

/** Reads a page of encoded users. Returns undefined from a repository that has none. */
export async function listEncoded(
  repository: UserRepository,
  {
    after,
    limit,
    signal,
    encode = encodeLine,
  }: { after?: Cursor; limit: number; signal?: AbortSignal; encode?: EncodeUser },
): Promise<{ users: User[]; next: Cursor | undefined } | undefined> {
  const parts: Buffer[] = [];
  const target = { append: (bytes: Uint8Array) => parts.push(Buffer.from(bytes)) };
  const page = await repository.listEncoded?.({ after, limit, encode, target, signal });
  const lines = Buffer.concat(parts).toString().split("\n").slice(0, -1);
  return page && { users: lines.map((line) => JSON.parse(line) as User), next: page.next };
}

/** Tests the part of the contract about encoded lists: they always equal the ordinary ones. */
export function describeEncodedList(open: () => Promise<UserRepository & AsyncDisposable>): void {
  /** Compares all pages of this size with the ordinary list. */
  async function expectSamePages(users: UserRepository, limit: number): Promise<void> {
    for (let after: Cursor | undefined; ; ) {
      const expected = await users.list({ after, limit: limit + 1 });
      const page = await listEncoded(users, { ...(after && { after }), limit });
      expect(page?.users).toEqual(expected.slice(0, limit));
      const last = expected[limit - 1];
      expect(page?.next).toEqual(expected.length > limit && last ? placeOf(last, BY_CREATION) : undefined);
      after = page?.next;
      if (!after) return;
    }
  }

  test("encoded pages are the ordinary ones, in any size and while users change", async () => {
    await using users = await open();
    await expectSamePages(users, 3);
    const all: User[] = [];
    for (let i = 0; i < 300; i++) {
      // Several users share each time of creation. Some users are far larger than others.
      const name = i % 50 === 7 ? "é".repeat(5_000) : `Name ${i}`;
      all.push(await users.insert(newUser({ name, createdAtMs: 1_000 + (i >> 2) })));
    }
    for (const limit of [1, 7, 100, 299, 300, 301, 1_000]) await expectSamePages(users, limit);
    const [first, second, third, fourth] = all as [User, User, User, User];
    await users.update(second.id, { name: "changed", updatedAtMs: 5_000 });
    await expectSamePages(users, 100);
    await users.delete(third.id);
    await users.insert(newUser({ createdAtMs: 1_001 }));
    await users.delete(first.id);
    await users.insert({ ...first, name: "another of the same id" });
    await expectSamePages(users, 100);
    await expect(users.update(fourth.id, { email: second.email, updatedAtMs: 6_000 })).rejects.toThrow();
    await expectSamePages(users, 100);
  });

  test("encodes a user once, and anew when it has changed or another encoding is wanted", async () => {
    await using users = await open();
    const all = await Promise.all(Array.from({ length: 50 }, () => users.insert(newUser())));
    const encoded: string[] = [];
    const encode: EncodeUser = (user) => {
      encoded.push(user.id);
      return encodeLine(user);
    };
    const read = () => listEncoded(users, { limit: 50, encode });
    await read();
    expect(encoded).toHaveLength(50);
    await users.update(all[10]?.id ?? "", { name: "changed", updatedAtMs: 5_000 });
    await read();
    expect(encoded.slice(50)).toEqual([all[10]?.id]);
    await listEncoded(users, { limit: 50 });
    await read();
    expect(encoded).toHaveLength(101);
  });

  test("stops reading an encoded page that nobody wants any more", async () => {
    await using users = await open();
    await Promise.all(Array.from({ length: 1_000 }, () => users.insert(newUser())));
    const controller = new AbortController();
    const page = listEncoded(users, { limit: 1_000, signal: controller.signal });
    controller.abort(new Error("gone"));
    await expect(page).rejects.toThrow("gone");
    expect((await listEncoded(users, { limit: 1_000 }))?.users).toHaveLength(1_000);
  });
}

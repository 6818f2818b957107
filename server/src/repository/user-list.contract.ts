import { expect, test } from "vitest";
import { EmailTakenError } from "../domain/errors.ts";
import type { User } from "../domain/user.ts";
import { BY_CREATION, placeOf, type UserOrder } from "../domain/user-order.ts";
import { newUser } from "./new-user.contract.ts";
import type { ListOptions, UserRepository } from "./user-repository.ts";

const ORDERS: readonly UserOrder[] = (["createdAt", "updatedAt", "name", "email"] as const).flatMap((by) => [
  { by, descending: false },
  { by, descending: true },
]);

/** Reads all pages; calls `between` while each is being read. */
export async function walk(
  users: UserRepository,
  options: Omit<ListOptions, "after">,
  between?: () => unknown,
): Promise<User[]> {
  const walked: User[] = [];
  for (let last: User | undefined; ; last = walked.at(-1)) {
    const after = last && placeOf(last, options.order ?? BY_CREATION);
    const pending = users.list({ ...options, after });
    between?.();
    const page = await pending;
    walked.push(...page);
    if (page.length < options.limit) return walked;
  }
}

/**
 * Inserts users. `matching` of them have a word with p…, alternately in name and e-mail; they are spread among as many
 * others.
 */
export async function insertMany(users: UserRepository, matching: number): Promise<User[]> {
  const all = await Promise.all(
    Array.from({ length: matching * 2 }, (_, index) => {
      const isMatching = index % 2 === 0;
      const email = `${isMatching && index % 4 === 0 ? "p" : "x"}${index}@example.com`;
      // Several users share each time of creation.
      const createdAtMs = 1_000 + (index >> 2);
      return users.insert(newUser({ email, name: isMatching && index % 4 ? `P${index}` : "X", createdAtMs }));
    }),
  );
  return all.filter((_, index) => index % 2 === 0);
}

/** Tests the part of the contract that concerns lists. */
export function describeUserList(open: () => Promise<UserRepository & AsyncDisposable>): void {
  test("lists by creation time and id, and continues after any place", async () => {
    await using users = await open();
    const times = [5, 3, 3, 3, 9];
    for (const createdAtMs of times) await users.insert(newUser({ createdAtMs }));
    const all = await users.list({ limit: 100 });
    expect(all.map(({ createdAtMs }) => createdAtMs)).toEqual([3, 3, 3, 5, 9]);
    expect(await walk(users, { limit: 2 })).toEqual(all);
  });

  test("lists in every order, forwards and backwards, with the id between equals", async () => {
    await using users = await open();
    // By code points, not by UTF-16 units: U+10000 comes after U+FFFD. Case does not count.
    const names = ["ada", "Ada", "ADA", "Zoe", "Éva", "zoe", "\u{FFFD}", "\u{10000}", "bob", "Bob B", "bob-b", "Ωμ"];
    for (const [index, name] of names.entries()) {
      const email = `${String.fromCodePoint(0x7a - (index % 5))}${index}@EXAMPLE.com`;
      await users.insert(newUser({ name, email, createdAtMs: 7 - (index >> 1), updatedAtMs: index % 3 }));
    }
    const orderOf = (found: readonly User[]) => found.map(({ name, email }) => `${name} ${email}`);
    const inOrder = (list: readonly User[], key: (user: User) => string | number) =>
      list.toSorted((a, b) => {
        const [first, second] = [key(a), key(b)];
        const bytes = (text: string | number) => Buffer.from(String(text));
        const difference =
          typeof first === "number" ? first - Number(second) : Buffer.compare(bytes(first), bytes(second));
        return difference || Buffer.compare(bytes(a.id), bytes(b.id));
      });
    const all = await users.list({ limit: 100 });
    for (const order of ORDERS) {
      const ascending = inOrder(all, (user) => placeOf(user, order).value);
      const expected = order.descending ? ascending.toReversed() : ascending;
      for (const limit of [1, 5, 100]) {
        const words = ["ex"];
        expect(orderOf(await walk(users, { order, limit })), JSON.stringify(order)).toEqual(orderOf(expected));
        expect(orderOf(await walk(users, { order, limit, words })), JSON.stringify(order)).toEqual(orderOf(expected));
      }
      expect(await users.list({ order, limit: 9, after: placeOf(expected.at(-1) as User, order) })).toEqual([]);
    }
  });

  test("lists many that match in every order", async () => {
    await using users = await open();
    await insertMany(users, 1_300);
    const isMatching = (prefix: string) => {
      return ({ name, email }: User) => name.toLowerCase().startsWith(prefix) || email.startsWith(prefix);
    };
    const idsOf = (found: readonly User[]) => found.map(({ id }) => id);
    for (const order of ORDERS) {
      const all = (await walk(users, { order, limit: 977 })).filter(isMatching("p"));
      expect(all).toHaveLength(1_300);
      expect(idsOf(await walk(users, { order, limit: 311, words: ["p"] }))).toEqual(idsOf(all));
      expect(idsOf(await walk(users, { order, limit: 311, words: ["example", "p"] }))).toEqual(idsOf(all));
      const few = all.filter(isMatching("p12"));
      expect(idsOf(await walk(users, { order, limit: 5, words: ["com", "p12"] }))).toEqual(idsOf(few));
    }
  });

  test("lists a user that exists throughout exactly once, whatever happens around it", async () => {
    await using users = await open();
    const constant = [];
    for (let i = 0; i < 30; i++) constant.push(await users.insert(newUser()));
    const passing = await Promise.all(Array.from({ length: 10 }, () => users.insert(newUser())));
    const seen: string[] = [];
    for (let last: User | undefined; ; ) {
      const page = await users.list({ after: last && placeOf(last, BY_CREATION), limit: 7 });
      seen.push(...page.map(({ id }) => id));
      if (page.length < 7) break;
      last = page.at(-1);
      const gone = passing.pop();
      if (gone) await users.delete(gone.id);
      if (last) await users.update(last.id, { name: "changed", updatedAtMs: 99 });
      await users.insert(newUser());
    }
    for (const { id } of constant) expect(seen.filter((each) => each === id)).toHaveLength(1);
  });

  test("in an order that changes, lists exactly once whoever keeps its place", async () => {
    await using users = await open();
    const all = await Promise.all(
      Array.from({ length: 300 }, (_, index) => users.insert(newUser({ name: `N${index}`, updatedAtMs: index }))),
    );
    const moving = all.filter((_, index) => index % 3 === 0);
    const constant = all.filter((_, index) => index % 3 > 0);
    for (const order of ORDERS.filter(({ by }) => by !== "createdAt")) {
      let change = 0;
      const seen = await walk(users, { order, limit: 17 }, () => {
        for (let index = 0; index < 10; index++) {
          change += 1;
          const { id } = moving[change % moving.length] as User;
          const name = `${change % 2 ? "a" : "z"}${change}`;
          void users.update(id, {
            name,
            email: `${name}-${order.by}-${order.descending}@x.example`,
            updatedAtMs: change,
          });
        }
      });
      const times = new Map<string, number>();
      for (const { id } of seen) times.set(id, (times.get(id) ?? 0) + 1);
      expect(constant.filter(({ id }) => times.get(id) !== 1)).toEqual([]);
    }
  });

  test("an e-mail keeps its place among others when only its name changes", async () => {
    await using users = await open();
    const user = await users.insert(newUser({ email: "Ada@example.com" }));
    await users.update(user.id, { name: "Other", email: "Ada@example.com", updatedAtMs: 1_000_000 });
    await expect(users.insert(newUser({ email: "ada@example.com" }))).rejects.toThrow(EmailTakenError);
    await users.update(user.id, { email: "grace@example.com", updatedAtMs: 1_000_000 });
    expect(await users.insert(newUser({ email: "ada@example.com" }))).toMatchObject({ email: "ada@example.com" });
  });

  test("finds many users by their ids, in the order asked for", async () => {
    await using users = await open();
    const [a, b, c] = [await users.insert(newUser()), await users.insert(newUser()), await users.insert(newUser())];
    expect(await users.findMany([c.id, a.id, "nobody", c.id, b.id, ""])).toEqual([c, a, undefined, c, b, undefined]);
    expect(await users.findMany([])).toEqual([]);
    const many = await insertMany(users, 500);
    expect(await users.findMany(many.toReversed().map(({ id }) => id))).toEqual(many.toReversed());
  });
}

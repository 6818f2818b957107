import { expect, test } from "vitest";
import { EmailTakenError } from "../domain/errors.ts";
import { searchKey, type User } from "../domain/user.ts";
import { newUser } from "./new-user.contract.ts";
import type { UserRepository } from "./user-repository.ts";

/** The part of the contract that is about lists and searches. */
export function describeUserList(open: () => Promise<UserRepository & AsyncDisposable>): void {
  test("lists by creation time and id, and continues after any place", async () => {
    await using users = await open();
    const times = [5, 3, 3, 3, 9];
    for (const createdAtMs of times) await users.insert(newUser({ createdAtMs }));
    const all = await users.list({ after: undefined, limit: 100, prefix: "" });
    expect(all.map(({ createdAtMs }) => createdAtMs)).toEqual([3, 3, 3, 5, 9]);
    const walked: User[] = [];
    for (let after: User | undefined; ; after = walked.at(-1)) {
      const page = await users.list({ after, limit: 2, prefix: "" });
      walked.push(...page);
      if (page.length === 0) break;
    }
    expect(walked).toEqual(all);
  });

  test("lists a user that exists throughout exactly once, whatever happens around it", async () => {
    await using users = await open();
    const constant = [];
    for (let i = 0; i < 30; i++) constant.push(await users.insert(newUser()));
    const passing = await Promise.all(Array.from({ length: 10 }, () => users.insert(newUser())));
    const seen: string[] = [];
    for (let after: User | undefined; ; ) {
      const page = await users.list({ after, limit: 7, prefix: "" });
      seen.push(...page.map(({ id }) => id));
      if (page.length < 7) break;
      after = page.at(-1);
      const gone = passing.pop();
      if (gone) await users.delete(gone.id);
      if (after) await users.update(after.id, { name: "changed", updatedAtMs: 99 });
      await users.insert(newUser());
    }
    for (const { id } of constant) expect(seen.filter((each) => each === id)).toHaveLength(1);
  });

  test("finds by the prefix of e-mail or name, in any case, without wildcards", async () => {
    await using users = await open();
    const insert = (email: string, name: string) => users.insert(newUser({ email, name }));
    await insert("anna@example.com", "Zed");
    await insert("zed@example.com", "ANNA Ö");
    await insert("ann%@example.com", "x");
    await insert("bob@anna.example", "Bob Anna");
    const found = async (prefix: string) =>
      (await users.list({ after: undefined, limit: 10, prefix: searchKey(prefix) })).map(({ email }) => email);
    expect(await found("anna")).toEqual(["anna@example.com", "zed@example.com"]);
    expect(await found("anna ö")).toEqual(["zed@example.com"]);
    await insert("sophia@example.com", "ΣΟΦΌΣ ΑΝΉΡ");
    expect(await found("σοφός")).toEqual(["sophia@example.com"]);
    expect(await found("ann%")).toEqual(["ann%@example.com"]);
    expect(await found("zed")).toEqual(["anna@example.com", "zed@example.com"]);
    expect(await found("nobody")).toEqual([]);
    const first = await users.list({ after: undefined, limit: 1, prefix: "zed" });
    expect(await users.list({ after: first[0], limit: 9, prefix: "zed" })).toHaveLength(1);
  });

  test("finds texts that Unicode calls the same, and those with the last code point after the prefix", async () => {
    await using users = await open();
    for (const name of [
      "STRAẞE",
      "ΑΫ\u0301ΠΝΟΣ",
      "end\u{10FFFF}",
      "end\u{10FFFF}\u{10FFFF}z",
      "\u{10FFFF}\u{10FFFF}",
      "Z\uD7FF",
      "Z\uE000",
    ]) {
      await users.insert(newUser({ name }));
    }
    const found = async (prefix: string) =>
      (await users.list({ after: undefined, limit: 10, prefix: searchKey(prefix) })).map(({ name }) => name);
    expect(await found("straße")).toEqual(["STRAẞE"]);
    expect(await found("strass")).toEqual(["STRAẞE"]);
    expect(await found("αΰπ")).toEqual(["ΑΫ\u0301ΠΝΟΣ"]);
    expect(await found("end")).toHaveLength(2);
    expect(await found("end\u{10FFFF}")).toHaveLength(2);
    expect(await found("end\u{10FFFF}\u{10FFFF}")).toHaveLength(1);
    expect(await found("\u{10FFFF}")).toEqual(["\u{10FFFF}\u{10FFFF}"]);
    expect(await found("z\uD7FF")).toEqual(["Z\uD7FF"]);
  });

  test("an e-mail keeps its place among others when only its name changes", async () => {
    await using users = await open();
    const user = await users.insert(newUser({ email: "Ada@example.com" }));
    await users.update(user.id, { name: "Other", email: "Ada@example.com", updatedAtMs: 1_000_000 });
    await expect(users.insert(newUser({ email: "ada@example.com" }))).rejects.toThrow(EmailTakenError);
    await users.update(user.id, { email: "grace@example.com", updatedAtMs: 1_000_000 });
    expect(await users.insert(newUser({ email: "ada@example.com" }))).toMatchObject({ email: "ada@example.com" });
  });

  /** Inserts users of whom `matching` match "p", alternately by name and by e-mail, spread among as many others. */
  async function insertMany(users: UserRepository, matching: number): Promise<User[]> {
    const all = await Promise.all(
      Array.from({ length: matching * 2 }, (_, index) => {
        const isMatching = index % 2 === 0;
        const email = `${isMatching && index % 4 === 0 ? "p" : "x"}${index}@example.com`;
        // Several users share each moment.
        const createdAtMs = 1_000 + (index >> 2);
        return users.insert(newUser({ email, name: isMatching && index % 4 ? `P${index}` : "X", createdAtMs }));
      }),
    );
    return all.filter((_, index) => index % 2 === 0);
  }

  async function walk(users: UserRepository, prefix: string, limit: number, between?: () => unknown): Promise<User[]> {
    const walked: User[] = [];
    for (let after: User | undefined; ; after = walked.at(-1)) {
      const pending = users.list({ after, limit, prefix });
      between?.();
      const page = await pending;
      walked.push(...page);
      if (page.length < limit) return walked;
    }
  }

  test.each([
    ["few", 300, 7],
    ["more than are sorted", 2_500, 211],
    ["more than are sorted, on large pages", 2_500, 1_001],
  ])("lists %s that match, each once and in order, in any size of page", async (_name, matching, limit) => {
    await using users = await open();
    const matchingUsers = await insertMany(users, matching);
    const ids = (await walk(users, "p", limit)).map(({ id }) => id);
    const byPlace = matchingUsers.toSorted((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
    expect(ids).toEqual(byPlace.map(({ id }) => id));
    expect(await walk(users, "", limit)).toHaveLength(matching * 2);
    expect(await walk(users, "nobody", limit)).toEqual([]);
    expect(await users.list({ after: byPlace.at(-1), limit, prefix: "p" })).toEqual([]);
  });

  test.each([
    ["few", 400],
    ["many", 2_500],
  ])(
    "while users change, a search among %s that match shows each that matches all the while exactly once",
    async (_name, matching) => {
      await using users = await open();
      const all = await insertMany(users, matching);
      const passing = all.filter((_, index) => index % 5 === 0);
      const renamed = all.filter((_, index) => index % 5 === 1);
      const constant = all.filter((_, index) => index % 5 > 0);
      let change = 0;
      const seen = await walk(users, "p", 97, () => {
        change += 1;
        // Rename from one end of the range to the other, from name to e-mail and back; all begin with a p.
        for (let index = 0; index < 20; index++) {
          const { id } = renamed[(change * 20 + index) % renamed.length] as User;
          const [name, email] = change % 2 ? [`pz${change}`, `x-${id}@example.com`] : ["x", `p-${id}@example.com`];
          void users.update(id, { name, email, updatedAtMs: 1 });
        }
        const gone = passing.pop();
        if (gone) void users.delete(gone.id);
        void users.insert(newUser({ name: "Pnew", createdAtMs: 1_000 + change }));
      });
      const times = new Map<string, number>();
      for (const { id } of seen) times.set(id, (times.get(id) ?? 0) + 1);
      expect(constant.filter(({ id }) => times.get(id) !== 1)).toEqual([]);
      expect([...times.values()].every((count) => count === 1)).toBe(true);
      const starts = (text: string) => searchKey(text).startsWith("p");
      expect(seen.every(({ name, email }) => starts(name) || starts(email))).toBe(true);
    },
  );

  test("stops reading a page that nobody wants any more", async () => {
    await using users = await open();
    await insertMany(users, 2_500);
    const options = { after: undefined, limit: 1_001 };
    for (const prefix of ["", "p", "x"]) {
      const controller = new AbortController();
      const page = users.list({ ...options, prefix, signal: controller.signal });
      controller.abort(new Error("gone"));
      await expect(page).rejects.toThrow("gone");
      await expect(users.list({ ...options, prefix, signal: controller.signal })).rejects.toThrow("gone");
    }
    // Searches that were given up hold up nobody.
    const crowd = Array.from({ length: 100 }, () => {
      const controller = new AbortController();
      const page = users.list({ ...options, prefix: "p", signal: controller.signal });
      setImmediate(() => controller.abort(new Error("gone")));
      return page;
    });
    const last = users.list({ ...options, prefix: "p" });
    const outcomes = await Promise.allSettled(crowd);
    expect(outcomes.filter(({ status }) => status === "rejected").length).toBeGreaterThan(50);
    expect(await last).toHaveLength(1_001);
  });
}

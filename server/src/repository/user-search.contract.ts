import { expect, test } from "vitest";
import type { User } from "../domain/user.ts";
import { wordsOfFilter } from "../domain/user-words.ts";
import { newUser } from "./new-user.contract.ts";
import { insertMany, walk } from "./user-list.contract.ts";
import type { UserRepository } from "./user-repository.ts";

/** Tests the part of the contract that concerns searches and counts. */
export function describeUserSearch(open: () => Promise<UserRepository & AsyncDisposable>): void {
  /** Returns the users that are found; asserts that their count is the same. */
  async function search(users: UserRepository, filter: string): Promise<User[]> {
    const words = wordsOfFilter(filter);
    const found = await users.list({ limit: 10, words });
    expect(await users.count({ limit: 10, words }), filter).toBe(found.length);
    return found;
  }

  test("finds by the start of any word of name or e-mail, in any case, without wildcards", async () => {
    await using users = await open();
    const insert = (email: string, name: string) => users.insert(newUser({ email, name }));
    await insert("ada.king-noel@example.com", "Ada Lovelace");
    await insert("grace_hopper+navy@mail.example.org", "Grace  Brewster\u00a0Hopper");
    await insert("ann%@example.com", "x");
    await insert("sophia@other.net", "ΣΟΦΌΣ ΑΝΉΡ");
    const found = async (filter: string) => (await search(users, filter)).map(({ email }) => email.slice(0, 3));
    expect(await found("Lovelace")).toEqual(["ada"]);
    expect(await found("ovelace")).toEqual([]);
    expect(await found("@example.com")).toEqual(["ada", "ann"]);
    expect(await found("example")).toEqual(["ada", "gra", "ann"]);
    expect(await found("ADA LOVE")).toEqual(["ada"]);
    expect(await found("love ada")).toEqual(["ada"]);
    expect(await found("ada hopper")).toEqual([]);
    // One word of the user can match several words of the filter.
    expect(await found("ad ada a")).toEqual(["ada"]);
    expect(await found("noel")).toEqual(["ada"]);
    expect(await found("navy")).toEqual(["gra"]);
    expect(await found("hopper grace org")).toEqual(["gra"]);
    expect(await found("brewster hop")).toEqual(["gra"]);
    expect(await found("σοφός")).toEqual(["sop"]);
    expect(await found("ανήρ σοφ")).toEqual(["sop"]);
    expect(await found("ανηρ")).toEqual([]);
    expect(await found("ann%")).toEqual(["ann"]);
    expect(await found("%")).toEqual([]);
    expect(await found("ann*")).toEqual([]);
    expect(await found(" @.-_+ ")).toEqual(["ada", "gra", "ann", "sop"]);
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
    const found = async (filter: string) => (await search(users, filter)).map(({ name }) => name);
    expect(await found("straße")).toEqual(["STRAẞE"]);
    expect(await found("strass")).toEqual(["STRAẞE"]);
    expect(await found("αΰπ")).toEqual(["ΑΫ\u0301ΠΝΟΣ"]);
    expect(await found("end")).toHaveLength(2);
    expect(await found("end\u{10FFFF}")).toHaveLength(2);
    expect(await found("end\u{10FFFF}\u{10FFFF}")).toHaveLength(1);
    expect(await found("\u{10FFFF}")).toEqual(["\u{10FFFF}\u{10FFFF}"]);
    expect(await found("z\uD7FF")).toEqual(["Z\uD7FF"]);
  });

  test("finds a user by its present words alone", async () => {
    await using users = await open();
    const count = (filter: string) => search(users, filter).then(({ length }) => length);
    const { id } = await users.insert(newUser({ name: "Ada Byron", email: "byron@a.example" }));
    await users.update(id, { name: "Ada Lovelace", updatedAtMs: 1 });
    expect([await count("lovelace"), await count("byron"), await count("ada")]).toEqual([1, 1, 1]);
    await users.update(id, { email: "lovelace@b.example", updatedAtMs: 1 });
    expect([await count("lovelace"), await count("byron"), await count("ada b example")]).toEqual([1, 0, 1]);
    await users.delete(id);
    expect([await count("lovelace"), await count("ada"), await count("")]).toEqual([0, 0, 0]);
    await users.insert(newUser({ name: "Grace", email: "grace@b.example" }));
    expect([await count("lovelace"), await count("ada"), await count("grace")]).toEqual([0, 0, 1]);
    // A refused write leaves no words behind.
    await expect(users.insert(newUser({ name: "Refused", email: "GRACE@b.example" }))).rejects.toThrow();
    expect(await count("refused")).toBe(0);
  });

  test("finds names and e-mails with as many words as fit into them", async () => {
    await using users = await open();
    const letters = Array.from({ length: 100 }, (_, index) => String.fromCodePoint(0x4e00 + index));
    const email = `${"a.".repeat(31)}a@${"b.".repeat(80)}example`;
    await users.insert(newUser({ name: letters.join(" "), email }));
    await users.insert(newUser());
    for (const filter of [letters[0], letters[99], letters.slice(84).join(" "), "a@b.ex"]) {
      expect(await search(users, filter ?? ""), filter).toHaveLength(1);
    }
  });

  test("counts exactly up to the limit, and no further", async () => {
    await using users = await open();
    await insertMany(users, 1_300);
    const count = (filter: string, limit: number) => users.count({ words: wordsOfFilter(filter), limit });
    for (const [filter, total] of [
      ["", 2_600],
      ["p", 1_300],
      ["example", 2_600],
      ["p12 example", 56],
      ["p com", 1_300],
      ["p x", 1_300],
      ["nobody", 0],
      ["p nobody", 0],
    ] as const) {
      for (const limit of [1, total - 1, total, total + 1, 10_000]) {
        if (limit > 0) expect(await count(filter, limit), `${filter}, ${limit}`).toBe(Math.min(total, limit));
      }
    }
  });

  test.each([
    ["few", 300, 7],
    ["more than are sorted", 2_500, 211],
    ["more than are sorted, on large pages", 2_500, 1_001],
  ])("lists %s that match, each once and in order, in any size of page", async (_name, matching, limit) => {
    await using users = await open();
    const matchingUsers = await insertMany(users, matching);
    const ids = (await walk(users, { words: ["p"], limit })).map(({ id }) => id);
    const byPlace = matchingUsers.toSorted((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
    expect(ids).toEqual(byPlace.map(({ id }) => id));
    expect(await walk(users, { limit })).toHaveLength(matching * 2);
    expect(await walk(users, { words: ["nobody"], limit })).toEqual([]);
    expect(await walk(users, { words: ["nobody", "p"], limit })).toEqual([]);
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
      const seen = await walk(users, { words: ["p"], limit: 97 }, () => {
        change += 1;
        // Rename users from one end of the range to the other, from name to e-mail and back; all have a word with p.
        for (let index = 0; index < 20; index++) {
          const { id } = renamed[(change * 20 + index) % renamed.length] as User;
          const [name, email] = change % 2 ? [`y pz${change}`, `x-${id}@example.com`] : ["x", `p-${id}@example.com`];
          void users.update(id, { name, email, updatedAtMs: 1 });
        }
        const gone = passing.pop();
        if (gone) void users.delete(gone.id);
        void users.insert(newUser({ name: "Pnew", createdAtMs: 1_000 + change }));
      });
      const times = new Map<string, number>();
      for (const { id } of seen) times.set(id, (times.get(id) ?? 0) + 1);
      expect(constant.filter(({ id }) => times.get(id) !== 1)).toEqual([]);
    },
  );

  test("stops a search that nobody wants any more", async () => {
    await using users = await open();
    await insertMany(users, 2_500);
    const options = { limit: 1_001 };
    for (const words of [[], ["p"], ["x"], ["p", "x"], ["nobody", "p"]]) {
      const controller = new AbortController();
      const search = { ...options, words, signal: controller.signal };
      const page = users.list(search);
      controller.abort(new Error("gone"));
      // A page without users may be ready before the abort.
      if (words.length === 0 || words[0] === "p") await expect(page).rejects.toThrow("gone");
      else await page.catch(({ message }) => expect(message).toBe("gone"));
      await expect(users.list(search)).rejects.toThrow("gone");
      await expect(users.count(search)).rejects.toThrow("gone");
    }
    // Searches that were given up must not delay others.
    const crowd = Array.from({ length: 100 }, (_, index) => {
      const controller = new AbortController();
      const search = { ...options, words: index % 2 ? ["p"] : ["p", "x"], signal: controller.signal };
      const page = index % 3 ? users.list(search) : users.count({ ...search, limit: 10_000 });
      setImmediate(() => controller.abort(new Error("gone")));
      return page;
    });
    const last = users.list({ ...options, words: ["p"] });
    const outcomes = await Promise.allSettled(crowd);
    expect(outcomes.filter(({ status }) => status === "rejected").length).toBeGreaterThan(50);
    expect(await last).toHaveLength(1_001);
  });
}
